import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { VolumeDriver } from './volume-driver.ts';

/** `hostPath`, of a pod or a PersistentVolume: a path of the node itself, checked or made as its type says. */
export function createHostPathDriver(): VolumeDriver {
  return {
    name: 'kubernetes.io/host-path',
    refreshes: false,
    supports: ({ volume, persistentVolume }) =>
      (persistentVolume ? persistentVolume.spec.hostPath : volume.hostPath) !== undefined,
    async setUp({ spec }) {
      const { path, type } = (spec.persistentVolume ? spec.persistentVolume.spec.hostPath : spec.volume.hostPath) ?? {
        path: '',
      };
      await checkHostPath(path, type ?? '');
      return path;
    },
    async tearDown() {},
  };
}

async function checkHostPath(path: string, type: string): Promise<void> {
  if (type === '') return;
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === 'FileOrCreate') {
    await stat(dirname(path)).catch(() => {
      throw new Error(`hostPath type check failed: ${path} is not a file`);
    });
    await writeFile(path, '', { flag: 'a', mode: 0o644 });
  }
  const found = await stat(path).catch(() => undefined);
  const kinds: Readonly<Record<string, [what: string, is: boolean | undefined]>> = {
    Directory: ['directory', found?.isDirectory()],
    DirectoryOrCreate: ['directory', found?.isDirectory()],
    File: ['file', found?.isFile()],
    FileOrCreate: ['file', found?.isFile()],
    Socket: ['socket', found?.isSocket()],
    CharDevice: ['character device', found?.isCharacterDevice()],
    BlockDevice: ['block device', found?.isBlockDevice()],
  };
  const kind = kinds[type];
  if (!kind) throw new Error(`${type} is an invalid volume type`);
  if (!kind[1]) throw new Error(`hostPath type check failed: ${path} is not a ${kind[0]}`);
}
