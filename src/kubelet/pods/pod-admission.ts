import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { amountOf, milliOf, podRequestsAndLimits } from '../containers/resources.ts';
import { isRestartableInit } from './restart-policy.ts';

const ANY_ADDRESS = '0.0.0.0';

export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/**
 * Whether the node takes a pod that was bound to it; the scheduler may have known less. `others` are the pods that run here;
 * `totalsOf` may remember what they ask for.
 */
export function admitPod(
  pod: Pod,
  others: readonly Pod[],
  node: Node,
  totalsOf = podRequestsAndLimits,
): Rejection | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const limit = Number(allocatable.pods ?? '110');
  if (others.length + 1 > limit) return rejection('pods', 1, others.length, limit);
  const own = totalsOf(pod);
  const used = { cpu: 0, memory: 0 };
  for (const other of others) {
    const { cpuRequest, memoryRequest } = totalsOf(other);
    used.cpu += cpuRequest;
    used.memory += memoryRequest;
  }
  const cpu = milliOf(allocatable, 'cpu');
  if (own.cpuRequest > 0 && used.cpu + own.cpuRequest > cpu) return rejection('cpu', own.cpuRequest, used.cpu, cpu);
  const memory = amountOf(allocatable, 'memory');
  if (own.memoryRequest > 0 && used.memory + own.memoryRequest > memory)
    return rejection('memory', own.memoryRequest, used.memory, memory);
  for (const { resources } of pod.spec.containers) {
    for (const [name, request] of Object.entries(resources?.requests ?? {})) {
      if (!name.includes('/')) continue;
      const wanted = Quantity.parse(request).value();
      const there = allocatable[name] ? Quantity.parse(allocatable[name]).value() : 0;
      if (wanted > there) return rejection(name, wanted, 0, there);
    }
  }
  if (!selectorMatches(pod, node))
    return {
      reason: 'NodeAffinity',
      message: "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    };
  if (hostPortsTaken(pod, others))
    return {
      reason: 'NodePorts',
      message:
        "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    };
  const ownOs = pod.spec.os?.name;
  if (ownOs && ownOs !== 'linux')
    return {
      reason: 'PodOSNotSupported',
      message: "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS",
    };
  return undefined;
}

/** Whether the node has room for what a pod that runs on it asks for now: `Infeasible` never, `Deferred` when others have gone. */
export function admitResize(
  pod: Pod,
  others: readonly Pod[],
  node: Node,
  totalsOf = podRequestsAndLimits,
): Rejection | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const own = totalsOf(pod);
  const rows = [
    { resource: 'cpu', of: 'cpuRequest', capacity: milliOf(allocatable, 'cpu') },
    { resource: 'memory', of: 'memoryRequest', capacity: amountOf(allocatable, 'memory') },
  ] as const;
  // Of both, memory is what is told.
  for (const { resource, of, capacity } of [...rows].reverse())
    if (own[of] > capacity)
      return {
        reason: 'Infeasible',
        message: `Node didn't have enough capacity: ${resource}, requested: ${own[of]}, capacity: ${capacity}`,
      };
  for (const { resource, of, capacity } of rows) {
    const used = others.reduce((sum, other) => sum + totalsOf(other)[of], 0);
    if (used + own[of] > capacity)
      return {
        reason: 'Deferred',
        message: `Node didn't have enough resource: ${resource}, requested: ${own[of]}, used: ${used}, capacity: ${capacity}`,
      };
  }
  return undefined;
}

function rejection(resource: string, requested: number, used: number, capacity: number): Rejection {
  return {
    reason: `OutOf${resource}`,
    message: `Pod was rejected: Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  };
}

interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

function hostPortsOf({ spec }: Pod): HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter(isRestartableInit);
  return [...sidecars, ...spec.containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP, protocol }) =>
      hostPort ? [{ ip: hostIP || ANY_ADDRESS, protocol: protocol ?? 'TCP', port: hostPort }] : [],
    ),
  );
}

/** The same port of the same protocol is taken on one address, or on all by either of the two. */
function hostPortsTaken(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return false;
  const taken = others.flatMap(hostPortsOf);
  return wanted.some((own) =>
    taken.some(
      (other) =>
        own.port === other.port &&
        own.protocol === other.protocol &&
        (own.ip === other.ip || own.ip === ANY_ADDRESS || other.ip === ANY_ADDRESS),
    ),
  );
}

function selectorMatches(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return !terms || terms.some((term) => termMatches(term, node));
}

function termMatches(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => requirementMatches(requirement, node.metadata.labels?.[requirement.key])) &&
    matchFields.every((requirement) =>
      requirementMatches(requirement, requirement.key === 'metadata.name' ? node.metadata.name : undefined),
    )
  );
}

function requirementMatches({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
