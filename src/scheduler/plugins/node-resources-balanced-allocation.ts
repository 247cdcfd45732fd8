import { CPU, MEMORY } from '../cache/resource-index.ts';
import { currentPod } from '../cycle.ts';
import { MAX_SCORE, type SchedulerPlugin } from '../framework.ts';

/** Prefers nodes whose cpu and memory would be used in like shares. */
export const nodeResourcesBalancedAllocation: SchedulerPlugin = {
  name: 'NodeResourcesBalancedAllocation',
  events: [],
  preScore(state) {
    const { requests } = currentPod(state);
    return (requests[CPU] ?? 0) === 0 && (requests[MEMORY] ?? 0) === 0 ? 'skip' : undefined;
  },
  score(state, _pod, node) {
    const { requests } = currentPod(state);
    const share = (resource: number) => {
      const total = node.allocatable[resource] ?? 0;
      return total === 0 ? 1 : Math.min(1, ((node.requested[resource] ?? 0) + (requests[resource] ?? 0)) / total);
    };
    // Of two values the standard deviation is half their distance.
    return Math.floor((1 - Math.abs(share(CPU) - share(MEMORY)) / 2) * MAX_SCORE);
  },
};
