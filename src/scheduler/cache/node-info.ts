import { amountOf, podRequests } from '../../api/core/pod-requests.ts';
import type { ContainerPort, Node, Pod, Taint } from '../../api/types/core.v1.gen.ts';
import { CPU, grown, MEMORY, PODS, type ResourceIndex } from './resource-index.ts';

/** A pod with what the scheduler asks of it again and again, computed once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly key: string;
  /** By resource number; `pods` is 1. */
  readonly requests: Float64Array;
  /** cpu and memory with upstream's stand-ins (100m, 200 MB) for containers without requests, for scoring. */
  readonly nonZeroCpu: number;
  readonly nonZeroMemory: number;
  readonly hostPorts: readonly string[];
  readonly priority: number;
  readonly hasAffinity: boolean;
  readonly hasRequiredAntiAffinity: boolean;
}

const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;

export function podInfo(pod: Pod, resources: ResourceIndex): PodInfo {
  const amounts = podRequests(pod);
  let requests = new Float64Array(resources.names.length);
  for (const [name, amount] of amounts) {
    const number = resources.numberOf(name);
    requests = grown(requests, number + 1) as Float64Array<ArrayBuffer>;
    requests[number] = amount;
  }
  requests[PODS] = 1;
  const affinity = pod.spec.affinity;
  const without = (name: string) =>
    pod.spec.containers.filter((c) => c.resources?.requests?.[name] === undefined).length;
  return {
    pod,
    key: `${pod.metadata.namespace}/${pod.metadata.name}`,
    requests,
    nonZeroCpu: requests[CPU]! + without('cpu') * DEFAULT_MILLI_CPU,
    nonZeroMemory: requests[MEMORY]! + without('memory') * DEFAULT_MEMORY,
    hostPorts: hostPortsOf(pod),
    priority: pod.spec.priority ?? 0,
    hasAffinity: affinity?.podAffinity !== undefined || affinity?.podAntiAffinity !== undefined,
    hasRequiredAntiAffinity:
      (affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length ?? 0) > 0,
  };
}

/** `protocol/ip/port` of each port taken on the host. */
function hostPortsOf(pod: Pod): string[] {
  const ports: string[] = [];
  const take = (port: ContainerPort) => {
    const hostPort = port.hostPort || (pod.spec.hostNetwork ? port.containerPort : 0);
    if (hostPort) ports.push(`${port.protocol ?? 'TCP'}/${port.hostIP || '0.0.0.0'}/${hostPort}`);
  };
  for (const container of pod.spec.containers) container.ports?.forEach(take);
  for (const container of pod.spec.initContainers ?? [])
    if (container.restartPolicy === 'Always') container.ports?.forEach(take);
  return ports;
}

/** A node, what it offers, and what the pods on it (bound or assumed) have taken. Changed in place by the cache alone. */
export class NodeInfo {
  readonly name: string;
  node: Node;
  allocatable: Float64Array = new Float64Array(4);
  requested: Float64Array = new Float64Array(4);
  nonZeroCpu = 0;
  nonZeroMemory = 0;
  readonly pods = new Map<string, PodInfo>();
  /** Those that have pod affinity terms, for the symmetry of affinity. */
  readonly podsWithAffinity = new Set<PodInfo>();
  readonly hostPorts = new Map<string, number>();
  taints: readonly Taint[] = [];
  readonly #resources: ResourceIndex;

  constructor(node: Node, resources: ResourceIndex) {
    this.name = node.metadata.name;
    this.#resources = resources;
    this.node = node;
    this.setNode(node);
  }

  setNode(node: Node): void {
    this.node = node;
    this.taints = node.spec?.taints ?? [];
    const list = node.status?.allocatable ?? {};
    this.allocatable = new Float64Array(this.#resources.names.length);
    for (const name of Object.keys(list)) {
      const number = this.#resources.numberOf(name);
      this.allocatable = grown(this.allocatable, number + 1);
      this.allocatable[number] = amountOf(name, list[name]!);
    }
  }

  add(info: PodInfo): void {
    this.pods.set(info.key, info);
    if (info.hasAffinity) this.podsWithAffinity.add(info);
    this.#account(info, 1);
  }

  remove(key: string): PodInfo | undefined {
    const info = this.pods.get(key);
    if (!info) return undefined;
    this.pods.delete(key);
    this.podsWithAffinity.delete(info);
    this.#account(info, -1);
    return info;
  }

  /** A private copy for what-if questions. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.node, this.#resources);
    for (const info of this.pods.values()) copy.add(info);
    return copy;
  }

  #account(info: PodInfo, sign: 1 | -1): void {
    this.requested = grown(this.requested, info.requests.length);
    for (let i = 0; i < info.requests.length; i++) this.requested[i]! += sign * info.requests[i]!;
    this.nonZeroCpu += sign * info.nonZeroCpu;
    this.nonZeroMemory += sign * info.nonZeroMemory;
    for (const port of info.hostPorts) {
      const count = (this.hostPorts.get(port) ?? 0) + sign;
      if (count > 0) this.hostPorts.set(port, count);
      else this.hostPorts.delete(port);
    }
  }
}
