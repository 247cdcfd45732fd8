import { expect, it } from 'vitest';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import { newPod } from '../testing/kubelet-on-fake-api.ts';
import { PodWorker } from './pod-worker.ts';

it('releases a pod once more that is deleted while it is released', async () => {
  const pod = newPod('over', 'true');
  const deleted: Pod = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  const released: boolean[] = [];
  const worker: PodWorker = new PodWorker(
    pod,
    {
      sync: async () => true,
      terminate: async () => {},
      async release({ pod: { metadata } }) {
        const known = metadata.deletionTimestamp !== undefined;
        if (!known) worker.update(deleted);
        released.push(known);
        return known;
      },
      remove: async () => {},
    },
    silentLogger,
  );
  worker.wake();
  await expect.poll(() => worker.state).toBe('finished');
  expect(released).toEqual([false, true]);
  await worker.stop();
});
