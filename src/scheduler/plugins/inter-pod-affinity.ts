import type { Pod, PodAffinityTerm } from '../../api/types/core.v1.gen.ts';
import { type LabelSelectorMatcher, labelSelectorMatcher } from '../../apimachinery/labels.ts';
import type { NodeInfo } from '../cache/node-info.ts';
import type { Snapshot } from '../cache/snapshot.ts';
import { MAX_SCORE, reject, type SchedulerPlugin } from '../framework.ts';

const NAME = 'InterPodAffinity';

/** A pod affinity term with its selectors compiled against the pod that owns it. */
interface Term {
  readonly topologyKey: string;
  matches(other: Pod, snapshot: Snapshot): boolean;
}

/** `key=value` of a topology, to the number of pods that count there. */
type TopologyCounts = Map<string, number>;

interface FilterState {
  readonly affinity: readonly Term[];
  readonly antiAffinity: readonly Term[];
  /** Pods that match all of the pod's affinity terms, by topology. */
  readonly affinityCounts: TopologyCounts;
  readonly antiAffinityCounts: TopologyCounts;
  /** Pods whose own anti-affinity the new pod would break, by topology. */
  readonly existingAntiCounts: TopologyCounts;
  readonly snapshot: Snapshot;
}

/** Pods that want to be near to, or far from, other pods; anti-affinity holds in both directions. */
export const interPodAffinity: SchedulerPlugin = {
  name: NAME,
  weight: 2,
  events: ['node-added', 'node-updated', 'pod-added', 'pod-updated', 'pod-deleted'],
  preFilter(state, pod, snapshot) {
    const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
    const filterState: FilterState = {
      affinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => compile(term, pod)),
      antiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) =>
        compile(term, pod),
      ),
      affinityCounts: new Map(),
      antiAffinityCounts: new Map(),
      existingAntiCounts: new Map(),
      snapshot,
    };
    for (const node of snapshot.nodesWithAffinityPods()) {
      for (const { pod: other, hasRequiredAntiAffinity } of node.podsWithAffinity)
        if (hasRequiredAntiAffinity) countExisting(filterState, pod, other, node, 1);
    }
    if (filterState.affinity.length || filterState.antiAffinity.length) {
      for (const node of snapshot.nodes)
        for (const { pod: other } of node.pods.values()) countOwn(filterState, other, node, 1);
    }
    state.set(NAME, filterState);
    return undefined;
  },
  filter(state, pod, node) {
    const filterState = state.get(NAME) as FilterState;
    const labels = node.node.metadata.labels ?? {};
    if (filterState.existingAntiCounts.size) {
      for (const [key, value] of Object.entries(labels)) {
        if ((filterState.existingAntiCounts.get(`${key}=${value}`) ?? 0) > 0)
          return reject(NAME, "node(s) didn't satisfy existing pods anti-affinity rules");
      }
    }
    for (const term of filterState.antiAffinity) {
      const value = labels[term.topologyKey];
      if (value !== undefined && (filterState.antiAffinityCounts.get(`${term.topologyKey}=${value}`) ?? 0) > 0) {
        return reject(NAME, "node(s) didn't match pod anti-affinity rules");
      }
    }
    if (filterState.affinity.length && !affinityHolds(filterState, pod, labels)) {
      return reject(NAME, "node(s) didn't match pod affinity rules", true);
    }
  },
  addPod(state, pod, other, node) {
    const filterState = state.get(NAME) as FilterState;
    countExisting(filterState, pod, other, node, 1);
    countOwn(filterState, other, node, 1);
  },
  removePod(state, pod, other, node) {
    const filterState = state.get(NAME) as FilterState;
    countExisting(filterState, pod, other, node, -1);
    countOwn(filterState, other, node, -1);
  },
  preScore(state, pod, _nodes, snapshot) {
    const scores: TopologyCounts = new Map();
    const own = [
      ...(pod.spec.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t) => ({
        term: compile(t.podAffinityTerm, pod),
        weight: t.weight,
      })),
      ...(pod.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t) => ({
        term: compile(t.podAffinityTerm, pod),
        weight: -t.weight,
      })),
    ];
    const nodes = own.length ? snapshot.nodes : snapshot.nodesWithAffinityPods();
    for (const node of nodes) {
      for (const { pod: other } of own.length ? node.pods.values() : []) {
        for (const { term, weight } of own) if (term.matches(other, snapshot)) add(scores, term, node, weight);
      }
      for (const { pod: other } of node.podsWithAffinity) scoreSymmetric(scores, pod, other, node, snapshot);
    }
    if (scores.size === 0) return 'skip';
    state.set(`${NAME}/score`, scores);
    return undefined;
  },
  score(state, _pod, node) {
    const scores = state.get(`${NAME}/score`) as TopologyCounts;
    let score = 0;
    for (const [key, value] of Object.entries(node.node.metadata.labels ?? {}))
      score += scores.get(`${key}=${value}`) ?? 0;
    return score;
  },
  normalize(_state, _pod, _nodes, scores) {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const score of scores) {
      if (score < min) min = score;
      if (score > max) max = score;
    }
    for (let i = 0; i < scores.length; i++)
      scores[i] = max === min ? 0 : Math.floor((MAX_SCORE * (scores[i]! - min)) / (max - min));
  },
};

/** Every term has a match in the node's topology; or none matches anywhere and the pod matches itself (the first of its group). */
function affinityHolds(state: FilterState, pod: Pod, labels: Readonly<Record<string, string>>): boolean {
  let all = true;
  for (const term of state.affinity) {
    const value = labels[term.topologyKey];
    if (value === undefined) return false;
    if ((state.affinityCounts.get(`${term.topologyKey}=${value}`) ?? 0) <= 0) all = false;
  }
  if (all) return true;
  const anywhere = [...state.affinityCounts.values()].some((value) => value > 0);
  return !anywhere && state.affinity.every((term) => term.matches(pod, state.snapshot));
}

function countOwn(state: FilterState, other: Pod, node: NodeInfo, by: number): void {
  if (state.affinity.length && state.affinity.every((term) => term.matches(other, state.snapshot))) {
    for (const term of state.affinity) add(state.affinityCounts, term, node, by);
  }
  for (const term of state.antiAffinity)
    if (term.matches(other, state.snapshot)) add(state.antiAffinityCounts, term, node, by);
}

function countExisting(state: FilterState, pod: Pod, other: Pod, node: NodeInfo, by: number): void {
  for (const definition of other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
    const term = compile(definition, other);
    if (term.matches(pod, state.snapshot)) add(state.existingAntiCounts, term, node, by);
  }
}

/** The wishes of pods that are there already, regarding the new one. Required affinity counts as a wish of weight 1. */
function scoreSymmetric(scores: TopologyCounts, pod: Pod, other: Pod, node: NodeInfo, snapshot: Snapshot): void {
  const { podAffinity, podAntiAffinity } = other.spec.affinity ?? {};
  const consider = (definition: PodAffinityTerm, weight: number) => {
    const term = compile(definition, other);
    if (term.matches(pod, snapshot)) add(scores, term, node, weight);
  };
  for (const term of podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) consider(term, 1);
  for (const { podAffinityTerm, weight } of podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    consider(podAffinityTerm, weight);
  for (const { podAffinityTerm, weight } of podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    consider(podAffinityTerm, -weight);
}

function add(counts: TopologyCounts, term: Term, node: NodeInfo, by: number): void {
  const value = node.node.metadata.labels?.[term.topologyKey];
  if (value === undefined) return;
  const key = `${term.topologyKey}=${value}`;
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function compile(term: PodAffinityTerm, owner: Pod): Term {
  const labels = owner.metadata.labels ?? {};
  const keyed = (keys: readonly string[] | undefined, operator: string) =>
    (keys ?? []).filter((key) => labels[key] !== undefined).map((key) => ({ key, operator, values: [labels[key]!] }));
  const selector: LabelSelectorMatcher = labelSelectorMatcher(
    term.labelSelector && {
      ...term.labelSelector,
      matchExpressions: [
        ...(term.labelSelector.matchExpressions ?? []),
        ...keyed(term.matchLabelKeys, 'In'),
        ...keyed(term.mismatchLabelKeys, 'NotIn'),
      ],
    },
  );
  const namespaces =
    term.namespaces?.length || term.namespaceSelector ? (term.namespaces ?? []) : [owner.metadata.namespace!];
  const namespaceSelector = term.namespaceSelector && labelSelectorMatcher(term.namespaceSelector);
  return {
    topologyKey: term.topologyKey,
    matches(other, snapshot) {
      if (other.metadata.deletionTimestamp !== undefined) return false;
      const namespace = other.metadata.namespace!;
      const inNamespace =
        namespaces.includes(namespace) || (namespaceSelector?.matches(snapshot.namespaceLabels(namespace)) ?? false);
      return inNamespace && selector.matches(other.metadata.labels);
    },
  };
}
