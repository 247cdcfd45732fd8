import type { Resources } from '../containers/pod-fields.ts';
import { writeFileVolume } from './file-volume.ts';
import { removeUnmounted } from './mounts.ts';
import { DEFAULT_MODE, downwardFiles } from './projection.ts';
import type { VolumeDriver } from './volume-driver.ts';

export function createDownwardAPIDriver(allocatable: () => Resources): VolumeDriver {
  return {
    name: 'kubernetes.io/downward-api',
    refreshes: true,
    supports: ({ volume }) => volume.downwardAPI !== undefined,
    async setUp(context) {
      const { items = [], defaultMode = DEFAULT_MODE } = context.spec.volume.downwardAPI ?? {};
      return await writeFileVolume(context, downwardFiles(context.pod, items, defaultMode, allocatable()));
    },
    tearDown: removeUnmounted,
  };
}
