import { nodeSelectorTermMatches, podMatchesNode } from '../../api/core/node-selector.ts';
import { normalizeByMax, reject, type SchedulerPlugin } from '../framework.ts';

/** Honours nodeSelector and node affinity, required and preferred. */
export const nodeAffinity: SchedulerPlugin = {
  name: 'NodeAffinity',
  weight: 2,
  events: ['node-added', 'node-updated', 'pod-updated'],
  preFilter(_state, pod) {
    // DaemonSet pods name their node by field: no need to look at any other.
    const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    if (!terms?.length) return undefined;
    const names = new Set<string>();
    for (const term of terms) {
      const field = term.matchFields?.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
      if (!field) return undefined;
      for (const value of field.values ?? []) names.add(value);
    }
    return { nodes: names };
  },
  filter(_state, pod, { node }) {
    if (!podMatchesNode(pod, node))
      return reject('NodeAffinity', "node(s) didn't match Pod's node affinity/selector", true);
  },
  preScore(_state, pod) {
    return pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.length
      ? undefined
      : 'skip';
  },
  score(_state, pod, { node }) {
    let score = 0;
    for (const { preference, weight } of pod.spec.affinity?.nodeAffinity
      ?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (nodeSelectorTermMatches(preference, node)) score += weight;
    }
    return score;
  },
  normalize(_state, _pod, _nodes, scores) {
    normalizeByMax(scores, false);
  },
};
