import type { Pod } from '../api/types/core.v1.gen.ts';
import type { PodDisruptionBudget } from '../api/types/policy.v1.gen.ts';
import { labelSelectorMatcher } from '../apimachinery/labels.ts';
import type { NodeInfo, PodInfo } from './cache/node-info.ts';
import type { Snapshot } from './cache/snapshot.ts';
import type { CycleState, Rejection, SchedulerPlugin } from './framework.ts';

export interface PreemptionRequest {
  readonly pod: PodInfo;
  readonly state: CycleState;
  readonly snapshot: Snapshot;
  readonly plugins: readonly SchedulerPlugin[];
  /** Why each node was rejected, by name. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  readonly budgets: readonly PodDisruptionBudget[];
}

export interface Preemption {
  readonly node: string;
  readonly victims: readonly Pod[];
}

interface Candidate extends Preemption {
  readonly violations: number;
}

/** Looks for the node where evicting the fewest and least important pods makes room. Changes nothing. */
export function findPreemption(request: PreemptionRequest): Preemption | undefined {
  if (request.pod.pod.spec.preemptionPolicy === 'Never') return undefined;
  const candidates: Candidate[] = [];
  for (const node of request.snapshot.nodes) {
    const rejection = request.rejections.get(node.name);
    if (!rejection || rejection.unresolvable) continue;
    const candidate = victimsOn(node, request);
    if (candidate) candidates.push(candidate);
  }
  return candidates.reduce<Candidate | undefined>(
    (best, candidate) => (best && !better(candidate, best) ? best : candidate),
    undefined,
  );
}

/** Evicts all less important pods on a copy of the node, then spares as many as still fit, the most important first. */
function victimsOn(node: NodeInfo, request: PreemptionRequest): Candidate | undefined {
  const { pod, plugins, snapshot } = request;
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return undefined;
  const trial = node.clone();
  const state = cloneState(request.state);
  const remove = (other: PodInfo) => {
    trial.remove(other.key);
    for (const plugin of plugins) plugin.removePod?.(state, pod.pod, other.pod, trial);
  };
  const restore = (other: PodInfo) => {
    trial.add(other);
    for (const plugin of plugins) plugin.addPod?.(state, pod.pod, other.pod, trial);
  };
  const fits = () => plugins.every((plugin) => plugin.filter?.(state, pod.pod, trial, snapshot) === undefined);
  lower.forEach(remove);
  if (!fits()) return undefined;
  const { violating, others } = splitByBudget(lower, request.budgets);
  const victims: PodInfo[] = [];
  let violations = 0;
  for (const group of [violating, others]) {
    for (const other of group.sort(moreImportantFirst)) {
      restore(other);
      if (fits()) continue;
      remove(other);
      victims.push(other);
      if (group === violating) violations++;
    }
  }
  return { node: node.name, victims: victims.map((victim) => victim.pod), violations };
}

function splitByBudget(
  pods: readonly PodInfo[],
  budgets: readonly PodDisruptionBudget[],
): { violating: PodInfo[]; others: PodInfo[] } {
  const left = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const info of [...pods].sort(moreImportantFirst)) {
    let violates = false;
    for (const budget of budgets) {
      if (
        budget.metadata.namespace !== info.pod.metadata.namespace ||
        !labelSelectorMatcher(budget.spec.selector).matches(info.pod.metadata.labels)
      )
        continue;
      const allowed = left.get(budget)! - 1;
      left.set(budget, allowed);
      if (allowed < 0) violates = true;
    }
    (violates ? violating : others).push(info);
  }
  return { violating, others };
}

function moreImportantFirst(a: PodInfo, b: PodInfo): number {
  return b.priority - a.priority || startOf(a.pod).localeCompare(startOf(b.pod));
}

const startOf = (pod: Pod) => pod.status?.startTime ?? '9';
const priorityOf = (pod: Pod) => pod.spec.priority ?? 0;

/** Fewer broken budgets, then a lower highest priority, a lower sum, fewer victims, and the latest start. */
function better(a: Candidate, b: Candidate): boolean {
  const highest = (c: Candidate) => Math.max(...c.victims.map(priorityOf));
  const sum = (c: Candidate) => c.victims.reduce((total, victim) => total + priorityOf(victim) + 2 ** 31, 0);
  for (const measure of [(c: Candidate) => c.violations, highest, sum, (c: Candidate) => c.victims.length]) {
    const difference = measure(a) - measure(b);
    if (difference !== 0) return difference < 0;
  }
  const earliest = (c: Candidate) => c.victims.map(startOf).sort()[0] ?? '';
  return earliest(a) > earliest(b);
}

/** Plugins keep maps of counts in their state; a what-if must not leak into the real one. */
function cloneState(state: CycleState): CycleState {
  const copy: CycleState = new Map();
  for (const [key, value] of state) copy.set(key, cloneCounts(value));
  return copy;
}

function cloneCounts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneCounts);
  if (value instanceof Map) return new Map(value);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, field instanceof Map ? new Map(field) : field]),
  );
}
