import type { DaemonSet } from '../../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { isPodAvailable } from '../../pod-state.ts';
import { scaledValue } from '../scaled-value.ts';
import { isUpdated } from './daemon-pods.ts';
import type { DaemonState, PodChanges } from './placement.ts';

/** Pods that a rolling update may have too many and too few, of `desired`; never both 0. */
export function rollingLimits(daemonSet: DaemonSet, desired: number): { maxSurge: number; maxUnavailable: number } {
  const { updateStrategy } = daemonSet.spec;
  if ((updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = 0, maxUnavailable = 1 } = updateStrategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, desired, Math.ceil);
  const unavailable = scaledValue(maxUnavailable, desired, Math.ceil);
  return { maxSurge: surge, maxUnavailable: desired > 0 && surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** The next step from old pods to new ones. */
export function rollingUpdate(state: DaemonState, maxUnavailable: number, now: number): PodChanges {
  return state.surge > 0 ? surging(state, now) : replacing(state, maxUnavailable, now);
}

function replacing({ daemonSet, hash, podsOf }: DaemonState, maxUnavailable: number, now: number): PodChanges {
  const available = (pod: Pod) => isPodAvailable(pod, daemonSet.spec.minReadySeconds ?? 0, now);
  let unavailable = 0;
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of podsOf.values()) {
    const pair = updatePair(daemonSet, pods, hash);
    // None or both: placement makes or deletes what is needed here.
    if (!pair || Boolean(pair.fresh) === Boolean(pair.old)) unavailable++;
    else if (pair.fresh) unavailable += available(pair.fresh) ? 0 : 1;
    else if (pair.old) (available(pair.old) ? candidates : broken).push(pair.old);
  }
  return { create: [], delete: [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] };
}

function surging({ daemonSet, hash, podsOf, surge }: DaemonState, now: number): PodChanges {
  const available = (pod: Pod) => isPodAvailable(pod, daemonSet.spec.minReadySeconds ?? 0, now);
  let surging = 0;
  const replaced: Pod[] = [];
  const broken: string[] = [];
  const candidates: string[] = [];
  for (const [node, pods] of podsOf) {
    const pair = updatePair(daemonSet, pods, hash);
    if (!pair) surging++;
    else if (!pair.old) continue;
    else if (!pair.fresh) (available(pair.old) ? candidates : broken).push(node);
    else if (available(pair.fresh)) replaced.push(pair.old);
    else surging++;
  }
  return { create: [...broken, ...candidates.slice(0, Math.max(0, surge - surging))], delete: replaced };
}

/** The new and the old pod of a node; undefined when there are several of a sort. */
function updatePair(daemonSet: DaemonSet, pods: readonly Pod[], hash: string): { fresh?: Pod; old?: Pod } | undefined {
  const pair: { fresh?: Pod; old?: Pod } = {};
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp) continue;
    const sort = isUpdated(daemonSet, pod, hash) ? 'fresh' : 'old';
    if (pair[sort]) return undefined;
    pair[sort] = pod;
  }
  return pair;
}
