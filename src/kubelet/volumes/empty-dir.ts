import { chmod, mkdir } from 'node:fs/promises';
import { Quantity } from '../../apimachinery/quantity.ts';
import { mount, mountsBelow, removeUnmounted } from './mounts.ts';
import { setVolumeOwnership } from './ownership.ts';
import type { VolumeDriver } from './volume-driver.ts';

/** `emptyDir`: a directory on the node's disk, or a tmpfs for `medium: Memory`. */
export function createEmptyDirDriver(): VolumeDriver {
  return {
    name: 'kubernetes.io/empty-dir',
    refreshes: false,
    supports: ({ volume }) => volume.emptyDir !== undefined,
    async setUp({ spec, path, fsGroup }) {
      const { medium = '', sizeLimit } = spec.volume.emptyDir ?? {};
      await mkdir(path, { recursive: true });
      if (medium === 'Memory' && !(await mountsBelow(path)).includes(path)) {
        const limit = sizeLimit ? Quantity.parse(sizeLimit) : undefined;
        const options = limit && !limit.isZero() ? ['-o', `size=${limit.value()}`] : [];
        await mount(['-t', 'tmpfs', ...options, 'tmpfs', path]);
      } else if (medium.startsWith('HugePages')) {
        if (!(await mountsBelow(path)).includes(path)) {
          const size = medium === 'HugePages' ? '2Mi' : medium.slice('HugePages-'.length);
          await mount(['-t', 'hugetlbfs', '-o', `pagesize=${Quantity.parse(size).value()}`, 'nodev', path]);
        }
      } else if (medium !== '' && medium !== 'Memory') throw new Error(`unknown storage medium "${medium}"`);
      await chmod(path, 0o777);
      if (fsGroup !== undefined) await setVolumeOwnership(path, fsGroup, { readOnly: false });
      return path;
    },
    tearDown: removeUnmounted,
  };
}
