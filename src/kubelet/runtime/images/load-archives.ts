import { CodedError } from '../../../apimachinery/coded-error.ts';
import { createImageImporter } from '../containerd/image-import.ts';
import { isRuntimeError } from '../runtime-error.ts';

/** Brings image archives (OCI layout, `docker save`) into the containerd at `endpoint`. Resolves to their names. */
export async function loadImageArchives(endpoint: string, files: readonly string[]): Promise<string[]> {
  const importer = await createImageImporter(endpoint);
  try {
    const names: string[] = [];
    for (const file of files) names.push(...(await importer.importArchive(file)));
    return names;
  } catch (error) {
    if (!isRuntimeError(error, 'Unimplemented')) throw error;
    throw new CodedError(
      'IMAGE_LOAD_NOT_SUPPORTED',
      `the container runtime at ${endpoint} is not containerd: it takes no image archives`,
      "Load the image with the runtime's own tools, or pull it from a registry.",
      { cause: error },
    );
  } finally {
    importer.close();
  }
}
