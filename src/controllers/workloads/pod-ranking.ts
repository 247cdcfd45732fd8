import type { Pod } from '../../api/types/core.v1.gen.ts';
import { isPodReady, podCondition } from '../pod-state.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASES = ['Pending', 'Unknown', 'Running'];

/**
 * Pods in the order in which a scale-down deletes them: unscheduled, pending, not ready, cheap (deletion cost), doubled
 * on their node, ready for the shortest, most often restarted, youngest. `related` are all pods that count for doubling.
 */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of related)
    if (pod.spec.nodeName) perNode.set(pod.spec.nodeName, (perNode.get(pod.spec.nodeName) ?? 0) + 1);
  const doubled = (pod: Pod) => perNode.get(pod.spec.nodeName ?? '') ?? 0;
  return [...pods].sort(
    (a, b) =>
      Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName)) ||
      PHASES.indexOf(a.status?.phase ?? 'Pending') - PHASES.indexOf(b.status?.phase ?? 'Pending') ||
      Number(isPodReady(a)) - Number(isPodReady(b)) ||
      costOf(a) - costOf(b) ||
      doubled(b) - doubled(a) ||
      compareTimes(readySince(b), readySince(a)) ||
      restartsOf(b) - restartsOf(a) ||
      compareTimes(b.metadata.creationTimestamp, a.metadata.creationTimestamp) ||
      a.metadata.name.localeCompare(b.metadata.name),
  );
}

function costOf(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[DELETION_COST] ?? '0');
  return Number.isInteger(cost) ? cost : 0;
}

const readySince = (pod: Pod) => (isPodReady(pod) ? podCondition(pod, 'Ready')?.lastTransitionTime : undefined);
const restartsOf = (pod: Pod) =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
const compareTimes = (a = '', b = '') => (a < b ? -1 : a > b ? 1 : 0);
