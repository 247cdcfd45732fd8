import { mkdir, stat } from 'node:fs/promises';
import { mount, mountsBelow, removeUnmounted } from './mounts.ts';
import { setVolumeOwnership } from './ownership.ts';
import type { VolumeDriver } from './volume-driver.ts';

/** `local` PersistentVolumes: a directory of this node, bound into the pod's own place. */
export function createLocalDriver(): VolumeDriver {
  return {
    name: 'kubernetes.io/local-volume',
    refreshes: false,
    supports: ({ persistentVolume }) => persistentVolume?.spec.local !== undefined,
    async setUp({ pod, spec, path, fsGroup }) {
      const source = spec.persistentVolume?.spec.local?.path ?? '';
      await stat(source).catch(() => {
        throw new Error(`path "${source}" does not exist`);
      });
      await mkdir(path, { recursive: true });
      if (!(await mountsBelow(path)).includes(path)) await mount(['--bind', source, path]);
      if (fsGroup !== undefined && !spec.readOnly) {
        await setVolumeOwnership(path, fsGroup, {
          readOnly: false,
          policy: pod.spec.securityContext?.fsGroupChangePolicy,
        });
      }
      return path;
    },
    tearDown: removeUnmounted,
  };
}
