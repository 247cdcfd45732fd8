import { tolerates, untoleratedTaint } from '../../api/core/tolerations.ts';
import type { Toleration } from '../../api/types/core.v1.gen.ts';
import { normalizeByMax, reject, type SchedulerPlugin } from '../framework.ts';

/** Keeps pods off nodes whose taints they don't tolerate; prefers nodes with fewer PreferNoSchedule taints. */
export const taintToleration: SchedulerPlugin = {
  name: 'TaintToleration',
  weight: 3,
  events: ['node-added', 'node-updated', 'pod-updated'],
  filter(_state, pod, node) {
    const taint = untoleratedTaint(node.taints, pod.spec.tolerations ?? [], ['NoSchedule', 'NoExecute']);
    if (taint) {
      const value = taint.value ? `: ${taint.value}` : ': ';
      return reject('TaintToleration', `node(s) had untolerated taint {${taint.key}${value}}`, true);
    }
  },
  preScore(state, pod) {
    const soft = (toleration: Toleration) => !toleration.effect || toleration.effect === 'PreferNoSchedule';
    state.set('TaintToleration', (pod.spec.tolerations ?? []).filter(soft));
    return undefined;
  },
  score(state, _pod, node) {
    const tolerations = state.get('TaintToleration') as readonly Toleration[];
    let count = 0;
    for (const taint of node.taints) {
      if (taint.effect === 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint)))
        count++;
    }
    return count;
  },
  normalize(_state, _pod, _nodes, scores) {
    normalizeByMax(scores, true);
  },
};
