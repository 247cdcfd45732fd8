import { mkdir, rmdir } from 'node:fs/promises';
import { mount, mountsBelow, removeUnmounted } from './mounts.ts';
import type { VolumeDriver } from './volume-driver.ts';

/** mount.nfs retries a dead server for two minutes by itself; a pod's events should tell sooner. */
const MOUNT_TIMEOUT_MS = 30_000;

/** `nfs`, of a pod or a PersistentVolume, through the node's mount.nfs (Debian: nfs-common). */
export function createNfsDriver(options: { mountTimeoutMs?: number } = {}): VolumeDriver {
  return {
    name: 'kubernetes.io/nfs',
    refreshes: false,
    supports: ({ volume, persistentVolume }) =>
      (persistentVolume ? persistentVolume.spec.nfs : volume.nfs) !== undefined,
    async setUp({ spec, path, signal }) {
      const source = spec.persistentVolume ? spec.persistentVolume.spec.nfs : spec.volume.nfs;
      if (!source) throw new Error('the volume has no nfs source');
      await mkdir(path, { recursive: true, mode: 0o750 });
      if ((await mountsBelow(path)).includes(path)) return path;
      const flags = [
        ...(spec.persistentVolume?.spec.mountOptions ?? []),
        ...(source.readOnly || spec.readOnly ? ['ro'] : []),
      ];
      const server =
        source.server.includes(':') && !source.server.startsWith('[') ? `[${source.server}]` : source.server;
      const args = [
        '-t',
        'nfs',
        ...(flags.length ? ['-o', [...new Set(flags)].sort().join(',')] : []),
        `${server}:${source.path}`,
        path,
      ];
      try {
        await mount(args, { timeoutMs: options.mountTimeoutMs ?? MOUNT_TIMEOUT_MS, signal });
      } catch (error) {
        await rmdir(path).catch(() => {});
        throw error;
      }
      return path;
    },
    tearDown: removeUnmounted,
  };
}
