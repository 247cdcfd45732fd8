import { chmod } from 'node:fs/promises';
import { type Payload, writeAtomically } from './atomic-writer.ts';
import { setVolumeOwnership } from './ownership.ts';
import type { VolumeContext } from './volume-driver.ts';

/** Writes the files of a volume that is made of API objects, owned by the pod's group if it has one. */
export async function writeFileVolume({ path, fsGroup }: VolumeContext, payload: Payload): Promise<string> {
  await writeAtomically(path, payload, async (directory) => {
    if (fsGroup !== undefined) await setVolumeOwnership(directory, fsGroup, { readOnly: true });
  });
  await chmod(path, 0o777);
  if (fsGroup !== undefined) await setVolumeOwnership(path, fsGroup, { readOnly: true });
  return path;
}
