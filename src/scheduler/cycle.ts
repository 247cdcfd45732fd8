import type { PodInfo } from './cache/node-info.ts';
import type { CycleState } from './framework.ts';

const KEY = 'pod';

/** A cycle's state, with the pod's computed facts at hand for every plugin. */
export function newCycle(info: PodInfo): CycleState {
  return new Map<string, unknown>([[KEY, info]]);
}

export function currentPod(state: CycleState): PodInfo {
  return state.get(KEY) as PodInfo;
}
