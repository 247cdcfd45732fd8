import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { LinuxContainerResources } from '../runtime/sandbox-config.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

type Quantities = Readonly<Record<string, string>> | undefined;

const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const QUOTA_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
const GUARANTEED_OOM_SCORE = -997;
const BEST_EFFORT_OOM_SCORE = 1000;

export const milliOf = (quantities: Quantities, name: string): number =>
  quantities?.[name] ? Quantity.parse(quantities[name]).milliValue() : 0;
export const amountOf = (quantities: Quantities, name: string): number =>
  quantities?.[name] ? Quantity.parse(quantities[name]).value() : 0;

/** Kernel shares for a thousandth of a core; 0 asks for the least. */
export function cpuShares(milliCpu: number): number {
  return milliCpu === 0 ? MIN_SHARES : Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.trunc((milliCpu * 1024) / 1000)));
}

/** Microseconds per period; 0 is no limit. */
function cpuQuota(milliCpu: number): number {
  return milliCpu === 0 ? 0 : Math.max(MIN_QUOTA_US, Math.trunc((milliCpu * QUOTA_PERIOD_US) / 1000));
}

/** From its requests and limits; `status.qosClass` never changes, so that is preferred where it is known. */
export function qosClassOf(pod: Pod): QosClass {
  if (pod.status?.qosClass) return pod.status.qosClass as QosClass;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const resources = pod.spec.resources
    ? [pod.spec.resources]
    : containers.map((container) => container.resources ?? {});
  let any = false;
  let guaranteed = true;
  for (const { requests, limits } of resources) {
    for (const name of ['cpu', 'memory']) {
      const limit = limits?.[name] ? Quantity.parse(limits[name]) : undefined;
      const request = requests?.[name] ? Quantity.parse(requests[name]) : limit;
      if ((limit && !limit.isZero()) || (request && !request.isZero())) any = true;
      if (!limit || limit.isZero() || !request || request.cmp(limit) !== 0) guaranteed = false;
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable';
}

/** The more of the node's memory a container asked for, the later it is killed. */
function oomScoreAdj(pod: Pod, container: Container, memoryCapacity: number): number {
  if ((pod.spec.priority ?? 0) >= 2_000_000_000) return GUARANTEED_OOM_SCORE;
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return GUARANTEED_OOM_SCORE;
  if (qos === 'BestEffort') return BEST_EFFORT_OOM_SCORE;
  const score = Math.trunc(1000 - (1000 * amountOf(container.resources?.requests, 'memory')) / memoryCapacity);
  return score < 1000 + GUARANTEED_OOM_SCORE
    ? 1000 + GUARANTEED_OOM_SCORE
    : score === BEST_EFFORT_OOM_SCORE
      ? score - 1
      : score;
}

export interface ContainerResourceOptions {
  readonly memoryCapacity: number;
  readonly cgroupVersion: 1 | 2;
}

export function containerLinuxResources(
  pod: Pod,
  container: Container,
  { memoryCapacity, cgroupVersion }: ContainerResourceOptions,
): LinuxContainerResources {
  const { requests, limits } = container.resources ?? {};
  const cpuLimit = milliOf(limits, 'cpu');
  const cpuRequest = requests?.cpu === undefined ? cpuLimit : milliOf(requests, 'cpu');
  const hugepages = Object.entries(limits ?? {}).filter(([name]) => name.startsWith('hugepages-'));
  return {
    cpuPeriod: QUOTA_PERIOD_US,
    cpuQuota: cpuQuota(cpuLimit),
    cpuShares: cpuShares(cpuRequest),
    memoryLimitInBytes: amountOf(limits, 'memory'),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacity),
    ...(hugepages.length
      ? {
          hugepageLimits: hugepages.map(([name, limit]) => ({
            pageSize: pageSize(name),
            limit: Quantity.parse(limit).value(),
          })),
        }
      : {}),
    // One process over the limit takes the whole container with it: half a container helps nobody.
    ...(cgroupVersion === 2 ? { unified: { 'memory.oom.group': '1' } } : {}),
  };
}

/** `hugepages-2Mi` is `2MB` to the kernel. */
function pageSize(resource: string): string {
  const bytes = Quantity.parse(resource.slice('hugepages-'.length)).value();
  for (const [unit, size] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
    ['KB', 2 ** 10],
  ] as const)
    if (bytes >= size) return `${bytes / size}${unit}`;
  return `${bytes}B`;
}

export interface PodResources {
  readonly cpuShares: number;
  /** Microseconds per 100 ms; 0 is none. */
  readonly cpuQuota: number;
  /** Bytes; 0 is none. */
  readonly memoryLimit: number;
}

/** What a pod's cgroup gets: the sum of its containers', or what the costliest init container needs if that is more. */
export function podResources(pod: Pod): PodResources {
  const total = podRequestsAndLimits(pod);
  return {
    cpuShares: cpuShares(total.cpuRequest),
    cpuQuota: total.cpuLimited ? cpuQuota(total.cpuLimit) : 0,
    memoryLimit: total.memoryLimited ? total.memoryLimit : 0,
  };
}

interface Totals {
  readonly cpuRequest: number;
  readonly memoryRequest: number;
  readonly cpuLimit: number;
  readonly memoryLimit: number;
  readonly cpuLimited: boolean;
  readonly memoryLimited: boolean;
}

/** Millicores and bytes. A limit holds for the pod only if every container has one. */
export function podRequestsAndLimits(pod: Pod): Totals {
  const sidecars: Container[] = [];
  const sum = { cpuRequest: 0, memoryRequest: 0, cpuLimit: 0, memoryLimit: 0 };
  const peak = { ...sum };
  let cpuLimited = true;
  let memoryLimited = true;
  const figures = (container: Container) => {
    const { requests, limits } = container.resources ?? {};
    return {
      cpuRequest: milliOf(requests, 'cpu') || milliOf(limits, 'cpu'),
      memoryRequest: amountOf(requests, 'memory') || amountOf(limits, 'memory'),
      cpuLimit: milliOf(limits, 'cpu'),
      memoryLimit: amountOf(limits, 'memory'),
    };
  };
  const keys = ['cpuRequest', 'memoryRequest', 'cpuLimit', 'memoryLimit'] as const;
  const note = (container: Container) => {
    if (!container.resources?.limits?.cpu) cpuLimited = false;
    if (!container.resources?.limits?.memory) memoryLimited = false;
  };
  for (const container of pod.spec.initContainers ?? []) {
    note(container);
    const own = figures(container);
    if (container.restartPolicy === 'Always') sidecars.push(container);
    const running = sidecars.map(figures);
    for (const key of keys) {
      const besides =
        running.reduce((total, one) => total + one[key], 0) + (container.restartPolicy === 'Always' ? 0 : own[key]);
      peak[key] = Math.max(peak[key], besides);
    }
  }
  for (const container of [...pod.spec.containers, ...sidecars]) {
    note(container);
    const own = figures(container);
    for (const key of keys) sum[key] += own[key];
  }
  for (const key of keys) sum[key] = Math.max(sum[key], peak[key]);
  const { requests, limits } = pod.spec.resources ?? {};
  if (requests?.cpu) sum.cpuRequest = milliOf(requests, 'cpu');
  if (requests?.memory) sum.memoryRequest = amountOf(requests, 'memory');
  if (limits?.cpu) {
    sum.cpuLimit = milliOf(limits, 'cpu');
    cpuLimited = true;
  }
  if (limits?.memory) {
    sum.memoryLimit = amountOf(limits, 'memory');
    memoryLimited = true;
  }
  sum.cpuRequest += milliOf(pod.spec.overhead, 'cpu');
  sum.memoryRequest += amountOf(pod.spec.overhead, 'memory');
  if (cpuLimited) sum.cpuLimit += milliOf(pod.spec.overhead, 'cpu');
  if (memoryLimited) sum.memoryLimit += amountOf(pod.spec.overhead, 'memory');
  return { ...sum, cpuLimited, memoryLimited };
}
