import type { NodeInfo, PodInfo } from './cache/node-info.ts';
import type { Snapshot } from './cache/snapshot.ts';
import { newCycle } from './cycle.ts';
import type { CycleState, Rejection, SchedulerPlugin } from './framework.ts';

export interface Decision {
  readonly node: NodeInfo;
  readonly state: CycleState;
}

export interface NoDecision {
  readonly state: CycleState;
  /** By node name. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  readonly message: string;
  readonly plugins: readonly string[];
}

/** Below this many nodes all are looked at; above, a falling share of them, as upstream does. */
const MIN_NODES_TO_FIND = 100;

/** Chooses nodes for pods. Pure but for where the search starts, which rotates so that all nodes get their share. */
export class Decider {
  readonly #plugins: readonly SchedulerPlugin[];
  #start = 0;
  #ties = 0;

  constructor(plugins: readonly SchedulerPlugin[]) {
    this.#plugins = plugins;
  }

  decide(info: PodInfo, snapshot: Snapshot): Decision | NoDecision {
    const state = newCycle(info);
    const { pod } = info;
    const rejections = new Map<string, Rejection>();
    let allowed: ReadonlySet<string> | undefined;
    for (const plugin of this.#plugins) {
      const result = plugin.preFilter?.(state, pod, snapshot);
      if (result?.reject) {
        for (const node of snapshot.nodes) rejections.set(node.name, result.reject);
        return failure(state, rejections, snapshot.nodes.length, result.reject);
      }
      if (result?.nodes)
        allowed = allowed ? new Set([...allowed].filter((name) => result.nodes!.has(name))) : result.nodes;
    }
    const feasible = this.#filter(state, info, snapshot, allowed, rejections);
    if (feasible.length === 0) return failure(state, rejections, snapshot.nodes.length);
    return { node: feasible.length === 1 ? feasible[0]! : this.#best(state, info, feasible, snapshot), state };
  }

  #filter(
    state: CycleState,
    { pod }: PodInfo,
    snapshot: Snapshot,
    allowed: ReadonlySet<string> | undefined,
    rejections: Map<string, Rejection>,
  ): NodeInfo[] {
    const { nodes } = snapshot;
    const candidates = allowed ? [...allowed].flatMap((name) => snapshot.node(name) ?? []) : nodes;
    if (allowed && allowed.size < nodes.length) {
      const rejection: Rejection = {
        plugin: 'NodeAffinity',
        reasons: ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
        unresolvable: true,
      };
      for (const node of nodes) if (!allowed.has(node.name)) rejections.set(node.name, rejection);
    }
    const enough = nodesToFind(candidates.length);
    const feasible: NodeInfo[] = [];
    let looked = 0;
    for (; looked < candidates.length && feasible.length < enough; looked++) {
      const node = candidates[(this.#start + looked) % candidates.length]!;
      const rejection = this.#firstRejection(state, pod, node, snapshot);
      if (rejection) rejections.set(node.name, rejection);
      else feasible.push(node);
    }
    if (candidates.length) this.#start = (this.#start + looked) % candidates.length;
    return feasible;
  }

  #firstRejection(state: CycleState, pod: PodInfo['pod'], node: NodeInfo, snapshot: Snapshot): Rejection | undefined {
    for (const plugin of this.#plugins) {
      const rejection = plugin.filter?.(state, pod, node, snapshot);
      if (rejection) return rejection;
    }
    return undefined;
  }

  #best(state: CycleState, { pod }: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): NodeInfo {
    const totals = new Float64Array(nodes.length);
    for (const plugin of this.#plugins) {
      if (!plugin.score || plugin.preScore?.(state, pod, nodes, snapshot) === 'skip') continue;
      const scores = new Float64Array(nodes.length);
      for (let i = 0; i < nodes.length; i++) scores[i] = plugin.score(state, pod, nodes[i]!, snapshot);
      plugin.normalize?.(state, pod, nodes, scores);
      const weight = plugin.weight ?? 1;
      for (let i = 0; i < nodes.length; i++) totals[i]! += weight * scores[i]!;
    }
    let best = 0;
    let equals = 1;
    for (let i = 1; i < nodes.length; i++) {
      if (totals[i]! > totals[best]!) {
        best = i;
        equals = 1;
      } else if (totals[i] === totals[best] && ++this.#ties % ++equals === 0) best = i;
    }
    return nodes[best]!;
  }
}

function nodesToFind(count: number): number {
  if (count < MIN_NODES_TO_FIND) return count;
  const percentage = Math.max(5, 50 - count / 125);
  return Math.max(MIN_NODES_TO_FIND, Math.floor((count * percentage) / 100));
}

function failure(
  state: CycleState,
  rejections: ReadonlyMap<string, Rejection>,
  nodeCount: number,
  all?: Rejection,
): NoDecision {
  const plugins = [...new Set([...rejections.values()].map((rejection) => rejection.plugin))];
  if (nodeCount === 0 && !all)
    return { state, rejections, plugins: [], message: 'no nodes available to schedule pods' };
  if (all)
    return {
      state,
      rejections,
      plugins: [all.plugin],
      message: `0/${nodeCount} nodes are available: ${all.reasons.join(', ')}.`,
    };
  return {
    state,
    rejections,
    plugins,
    message: `0/${nodeCount} nodes are available: ${histogram(rejections.values())}.`,
  };
}

/** `1 Insufficient cpu, 2 node(s) were unschedulable`, sorted as text. */
export function histogram(rejections: Iterable<Rejection>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}
