import type { Pod } from '../../api/types/core.v1.gen.ts';
import { isPodReady, podCondition } from '../pod-state.ts';

/**
 * Ms until the next of the ready pods has been ready for `minReadySeconds` and so becomes available, which no event will
 * tell; undefined when none waits for that.
 */
export function nextAvailability(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  if (minReadySeconds === 0) return undefined;
  let next: number | undefined;
  for (const pod of pods) {
    if (!isPodReady(pod)) continue;
    const since = Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? '');
    const left = since + minReadySeconds * 1000 - now;
    if (left > 0 && (next === undefined || left < next)) next = left;
  }
  return next;
}
