import type { Pod } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { podCondition } from '../pod-state.ts';

/** A pod's measured value in milli-units, and when and over how long it was measured. */
export interface PodMetric {
  readonly value: number;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly windowMs: number;
}

export type PodMetrics = ReadonlyMap<string, PodMetric>;

export interface Tolerances {
  /** Relative deviation from the target that is let be: 0.1. */
  readonly up: number;
  readonly down: number;
}

/** Upstream's defaults: CPU of a pod that is just starting says little. */
const CPU_INITIALIZATION_MS = 300_000;
const INITIAL_READINESS_MS = 30_000;

export interface PodGroups {
  /** Names of ready pods that have a metric. */
  readonly ready: ReadonlySet<string>;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

export function groupPods(pods: readonly Pod[], metrics: PodMetrics, isCpu: boolean, now: number): PodGroups {
  const ready = new Set<string>();
  const unready = new Set<string>();
  const missing = new Set<string>();
  for (const pod of pods) {
    const { name } = pod.metadata;
    if (pod.metadata.deletionTimestamp || pod.status?.phase === 'Failed') continue;
    if (pod.status?.phase === 'Pending') {
      unready.add(name);
      continue;
    }
    const metric = metrics.get(name);
    if (!metric) missing.add(name);
    else if (isCpu && isStarting(pod, metric, now)) unready.add(name);
    else ready.add(name);
  }
  return { ready, unready, missing };
}

function isStarting(pod: Pod, metric: PodMetric, now: number): boolean {
  const condition = podCondition(pod, 'Ready');
  if (!condition || !pod.status?.startTime) return true;
  const started = Date.parse(pod.status.startTime);
  const changed = Date.parse(condition.lastTransitionTime ?? '');
  if (started + CPU_INITIALIZATION_MS > now)
    return condition.status === 'False' || metric.timestamp < changed + metric.windowMs;
  return condition.status === 'False' && started + INITIAL_READINESS_MS > changed;
}

/** Requests of one resource per pod, in milli-units; throws when a container states none. */
export function podRequests(
  pods: readonly Pod[],
  resource: string,
  container: string | undefined,
): ReadonlyMap<string, number> {
  const requests = new Map<string, number>();
  for (const pod of pods) {
    let sum = 0;
    const sidecars = pod.spec.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? [];
    for (const candidate of [...pod.spec.containers, ...sidecars]) {
      if (container !== undefined && candidate.name !== container) continue;
      const request = candidate.resources?.requests?.[resource];
      if (request === undefined)
        throw new Error(`missing request for ${resource} in container ${candidate.name} of Pod ${pod.metadata.name}`);
      sum += Number(Quantity.parse(request).milliValue());
    }
    requests.set(pod.metadata.name, sum);
  }
  return requests;
}

export interface Proposal {
  readonly replicas: number;
  /** Percent of requests; for utilization targets. */
  readonly utilization?: number;
  /** Mean value in milli-units. */
  readonly average: number;
}

/**
 * How many replicas bring the mean of ready pods to the target. Pods without a metric count as doing what is least in
 * favour of scaling; a proposal that turns its direction by that is dropped.
 * @param requests given for a utilization target (percent of them), absent for a mean in milli-units
 */
export function proposeReplicas(
  current: number,
  metrics: PodMetrics,
  groups: PodGroups,
  target: number,
  tolerances: Tolerances,
  requests?: ReadonlyMap<string, number>,
): Proposal {
  const values = new Map<string, number>();
  for (const name of groups.ready) values.set(name, metrics.get(name)?.value ?? 0);
  if (values.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const average = sum(values.values()) / values.size;
  const { ratio, utilization } = usage(values, target, requests);
  const considerUnready = groups.unready.size > 0 && ratio > 1;
  const proposal = (replicas: number): Proposal => ({ replicas, average, ...(requests ? { utilization } : {}) });
  if (!considerUnready && groups.missing.size === 0) {
    if (within(ratio, tolerances)) return proposal(current);
    return proposal(Math.ceil(round(ratio * values.size)));
  }
  if (groups.missing.size > 0) {
    if (ratio < 1) {
      const share = Math.max(100, target);
      for (const name of groups.missing)
        values.set(name, requests ? ((requests.get(name) ?? 0) * share) / 100 : target);
    } else for (const name of groups.missing) values.set(name, 0);
  }
  if (considerUnready) for (const name of groups.unready) values.set(name, 0);
  const corrected = usage(values, target, requests).ratio;
  if (within(corrected, tolerances) || (ratio < 1 && corrected > 1) || (ratio > 1 && corrected < 1))
    return proposal(current);
  const replicas = Math.ceil(round(corrected * values.size));
  if ((corrected < 1 && replicas > current) || (corrected > 1 && replicas < current)) return proposal(current);
  return proposal(replicas);
}

/** For metrics of no pod in particular: current value against its target. */
export function proposeByRatio(ratio: number, readyPods: number, current: number, tolerances: Tolerances): number {
  if (within(ratio, tolerances)) return current;
  return Math.ceil(round(ratio * (current === 0 ? 1 : readyPods)));
}

function usage(values: ReadonlyMap<string, number>, target: number, requests: ReadonlyMap<string, number> | undefined) {
  const total = sum(values.values());
  if (!requests) return { ratio: total / values.size / target, utilization: 0 };
  const requested = sum([...values.keys()].map((name) => requests.get(name) ?? 0));
  if (requested === 0) throw new Error('no metrics returned matched known pods');
  const utilization = Math.floor((total * 100) / requested);
  return { ratio: utilization / target, utilization };
}

export const within = (ratio: number, { up, down }: Tolerances) => ratio >= 1 - down - 1e-9 && ratio <= 1 + up + 1e-9;
/** 1.1 * 10 is 11.000000000000002; nobody wants a pod for that. */
const round = (value: number) => Math.round(value * 1e9) / 1e9;
const sum = (values: Iterable<number>) => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};
