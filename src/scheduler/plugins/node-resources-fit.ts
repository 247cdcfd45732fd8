import type { NodeInfo } from '../cache/node-info.ts';
import { CPU, MEMORY, PODS } from '../cache/resource-index.ts';
import { currentPod } from '../cycle.ts';
import { MAX_SCORE, type Rejection, type SchedulerPlugin } from '../framework.ts';

/** Enough of every resource the pod asks for; prefers the node that has most left (LeastAllocated). */
export function nodeResourcesFit(resourceNames: readonly string[]): SchedulerPlugin {
  return {
    name: 'NodeResourcesFit',
    events: ['node-added', 'node-updated', 'pod-deleted', 'pod-updated'],
    filter(state, _pod, node): Rejection | undefined {
      const { requests } = currentPod(state);
      let reasons: string[] | undefined;
      let unresolvable = false;
      for (let i = 0; i < requests.length; i++) {
        const wanted = requests[i]!;
        if (wanted === 0) continue;
        const total = node.allocatable[i] ?? 0;
        if (wanted <= total - (node.requested[i] ?? 0)) continue;
        reasons ??= [];
        reasons.push(i === PODS ? 'Too many pods' : `Insufficient ${resourceNames[i]}`);
        if (wanted > total) unresolvable = true;
      }
      return reasons && { plugin: 'NodeResourcesFit', reasons, unresolvable };
    },
    score(state, _pod, node) {
      const info = currentPod(state);
      const cpu = free(node, CPU, node.nonZeroCpu + info.nonZeroCpu);
      const memory = free(node, MEMORY, node.nonZeroMemory + info.nonZeroMemory);
      return Math.floor((cpu + memory) / 2);
    },
  };
}

function free(node: NodeInfo, resource: number, requested: number): number {
  const total = node.allocatable[resource] ?? 0;
  return total === 0 || requested > total ? 0 : Math.floor(((total - requested) * MAX_SCORE) / total);
}
