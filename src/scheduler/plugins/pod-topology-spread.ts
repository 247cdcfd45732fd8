import { podMatchesNode } from '../../api/core/node-selector.ts';
import { untoleratedTaint } from '../../api/core/tolerations.ts';
import type { Pod, TopologySpreadConstraint } from '../../api/types/core.v1.gen.ts';
import { type LabelSelectorMatcher, labelSelectorMatcher } from '../../apimachinery/labels.ts';
import type { NodeInfo } from '../cache/node-info.ts';
import type { Snapshot } from '../cache/snapshot.ts';
import { MAX_SCORE, reject, type SchedulerPlugin } from '../framework.ts';

const NAME = 'PodTopologySpread';

interface Constraint {
  readonly key: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelSelectorMatcher;
  readonly selfMatch: number;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
  /** Matching pods by topology value. */
  readonly counts: Map<string, number>;
}

/** Keeps the pods that a selector matches spread over a topology (zones, hosts), strictly or by preference. */
export const podTopologySpread: SchedulerPlugin = {
  name: NAME,
  weight: 2,
  events: ['node-added', 'node-updated', 'pod-added', 'pod-updated', 'pod-deleted'],
  preFilter(state, pod, snapshot) {
    const constraints = constraintsOf(pod, 'DoNotSchedule');
    count(constraints, pod, snapshot);
    state.set(NAME, constraints);
    return undefined;
  },
  filter(state, _pod, node) {
    for (const constraint of state.get(NAME) as Constraint[]) {
      const value = node.node.metadata.labels?.[constraint.key];
      if (value === undefined)
        return reject(NAME, "node(s) didn't match pod topology spread constraints (missing required label)", true);
      const min = constraint.counts.size < constraint.minDomains ? 0 : minimum(constraint.counts);
      const skew = (constraint.counts.get(value) ?? 0) + constraint.selfMatch - min;
      if (skew > constraint.maxSkew) return reject(NAME, "node(s) didn't match pod topology spread constraints");
    }
  },
  addPod(state, pod, other, node) {
    adjust(state.get(NAME) as Constraint[], pod, other, node, 1);
  },
  removePod(state, pod, other, node) {
    adjust(state.get(NAME) as Constraint[], pod, other, node, -1);
  },
  preScore(state, pod, _nodes, snapshot) {
    const constraints = constraintsOf(pod, 'ScheduleAnyway');
    if (constraints.length === 0) return 'skip';
    count(constraints, pod, snapshot);
    state.set(`${NAME}/score`, constraints);
    return undefined;
  },
  score(state, _pod, node) {
    let score = 0;
    for (const constraint of state.get(`${NAME}/score`) as Constraint[]) {
      const value = node.node.metadata.labels?.[constraint.key];
      if (value === undefined) return -1;
      // More domains make a skew weigh more (upstream's topology normalizing weight).
      score += (constraint.counts.get(value) ?? 0) * Math.log(constraint.counts.size + 2) + (constraint.maxSkew - 1);
    }
    return score;
  },
  normalize(_state, _pod, _nodes, scores) {
    const known = scores.filter((score) => score >= 0);
    const max = Math.max(0, ...known);
    const min = known.length ? Math.min(...known) : 0;
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      scores[i] = score < 0 ? 0 : max === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (max + min - score)) / max);
    }
  },
};

function constraintsOf(pod: Pod, whenUnsatisfiable: string): Constraint[] {
  const wanted = (pod.spec.topologySpreadConstraints ?? []).filter((c) => c.whenUnsatisfiable === whenUnsatisfiable);
  return wanted.map((constraint) => compile(constraint, pod));
}

function compile(constraint: TopologySpreadConstraint, pod: Pod): Constraint {
  const labels = pod.metadata.labels ?? {};
  const extra = (constraint.matchLabelKeys ?? [])
    .filter((key) => labels[key] !== undefined)
    .map((key) => ({ key, operator: 'In', values: [labels[key]!] }));
  const selector = labelSelectorMatcher(
    constraint.labelSelector && {
      ...constraint.labelSelector,
      matchExpressions: [...(constraint.labelSelector.matchExpressions ?? []), ...extra],
    },
  );
  return {
    key: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    selector,
    selfMatch: selector.matches(labels) ? 1 : 0,
    honorAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorTaints: constraint.nodeTaintsPolicy === 'Honor',
    counts: new Map(),
  };
}

function count(constraints: readonly Constraint[], pod: Pod, snapshot: Snapshot): void {
  if (constraints.length === 0) return;
  for (const node of snapshot.nodes) {
    const labels = node.node.metadata.labels ?? {};
    if (constraints.some(({ key }) => labels[key] === undefined)) continue;
    for (const constraint of constraints) {
      if (!includes(constraint, pod, node)) continue;
      let matching = 0;
      for (const { pod: other } of node.pods.values()) if (counts(constraint, pod, other)) matching++;
      const value = labels[constraint.key]!;
      constraint.counts.set(value, (constraint.counts.get(value) ?? 0) + matching);
    }
  }
}

function includes(constraint: Constraint, pod: Pod, node: NodeInfo): boolean {
  if (constraint.honorAffinity && !podMatchesNode(pod, node.node)) return false;
  return !(
    constraint.honorTaints && untoleratedTaint(node.taints, pod.spec.tolerations ?? [], ['NoSchedule', 'NoExecute'])
  );
}

function counts(constraint: Constraint, pod: Pod, other: Pod): boolean {
  return (
    other.metadata.deletionTimestamp === undefined &&
    other.metadata.namespace === pod.metadata.namespace &&
    constraint.selector.matches(other.metadata.labels)
  );
}

function adjust(constraints: readonly Constraint[], pod: Pod, other: Pod, node: NodeInfo, by: 1 | -1): void {
  for (const constraint of constraints) {
    const value = node.node.metadata.labels?.[constraint.key];
    if (value === undefined || !constraint.counts.has(value) || !counts(constraint, pod, other)) continue;
    constraint.counts.set(value, constraint.counts.get(value)! + by);
  }
}

function minimum(counts: ReadonlyMap<string, number>): number {
  let min = Number.POSITIVE_INFINITY;
  for (const value of counts.values()) if (value < min) min = value;
  return min === Number.POSITIVE_INFINITY ? 0 : min;
}
