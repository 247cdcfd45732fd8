import type { Draft } from '../../apimachinery/json.ts';
import { semanticEqual } from '../field-checks.ts';
import type { Service, ServiceSpec } from '../types/core.v1.gen.ts';

type Spec = ServiceSpec | Draft<ServiceSpec>;

const hasClusterIP = (spec: Spec) => spec.type !== 'ExternalName';

/** Its ports may have node ports. */
export const hasNodePorts = (spec: Spec) => spec.type === 'NodePort' || spec.type === 'LoadBalancer';

/** Ports without a node port are given one. */
export const takesNodePorts = (spec: Spec) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

export const hasHealthCheckPort = (spec: Spec) =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/**
 * An update that says nothing of addresses and node ports keeps the allocated ones, and one that changes the type drops
 * those that the new type has no use for.
 */
export function carryOverAllocations({ spec, status }: Draft<Service>, old: Service): void {
  if (!spec) return;
  normalizeClusterIPs(spec, old.spec);
  if (hasClusterIP(spec) && hasClusterIP(old.spec)) {
    if (!spec.clusterIP && old.spec.clusterIP) spec.clusterIP = old.spec.clusterIP;
    if (!spec.clusterIPs?.length && old.spec.clusterIPs && spec.clusterIP === old.spec.clusterIP)
      spec.clusterIPs = [...old.spec.clusterIPs];
    if (!spec.ipFamilyPolicy && old.spec.ipFamilyPolicy) spec.ipFamilyPolicy = old.spec.ipFamilyPolicy;
    if (!spec.ipFamilies?.length && old.spec.ipFamilies) spec.ipFamilies = [...old.spec.ipFamilies];
  }
  if (hasNodePorts(spec) && hasNodePorts(old.spec)) carryOverNodePorts(spec, old.spec);
  if (hasHealthCheckPort(spec) && hasHealthCheckPort(old.spec))
    spec.healthCheckNodePort ||= old.spec.healthCheckNodePort;
  dropUnused(spec, old.spec);
  // The balancer goes later, but it is of no use from now on.
  if (spec.type !== 'LoadBalancer' && status) status.loadBalancer = {};
}

/** Clients that know only one of `clusterIP` and `clusterIPs` change one of them: the other follows. */
function normalizeClusterIPs(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const sameIP = (spec.clusterIP ?? '') === (old.clusterIP ?? '');
  const sameIPs = semanticEqual(spec.clusterIPs, old.clusterIPs);
  if (!sameIP && sameIPs) {
    if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
    else delete spec.clusterIPs;
  }
}

const nodePortsOf = ({ ports }: Spec) => new Set((ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : [])));

/** Ports are known by their names, whatever else of them changes. */
function carryOverNodePorts(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const before = nodePortsOf(old);
  const used = new Set([...nodePortsOf(spec)].filter((nodePort) => before.has(nodePort)));
  const byName = new Map((old.ports ?? []).map(({ name, nodePort }) => [name ?? '', nodePort]));
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const known = byName.get(port.name ?? '');
    if (!known || used.has(known)) continue;
    port.nodePort = known;
    used.add(known);
  }
}

/** Only what is as it was is dropped: what the client set on purpose is left to validation. */
function dropUnused(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const dropped = (uses: (spec: Spec) => boolean) => uses(old) && !uses(spec);
  if (dropped(hasClusterIP)) {
    if (semanticEqual(spec.clusterIPs, old.clusterIPs) && spec.clusterIP === old.clusterIP) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    for (const field of ['ipFamilies', 'ipFamilyPolicy'] as const)
      if (semanticEqual(spec[field], old[field])) delete spec[field];
  }
  if (dropped(hasNodePorts)) {
    const before = nodePortsOf(old);
    if ([...nodePortsOf(spec)].every((nodePort) => before.has(nodePort)))
      for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (dropped(hasHealthCheckPort) && spec.healthCheckNodePort === old.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  if (dropped((of) => of.type === 'LoadBalancer')) {
    if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  }
  const isExternal = (of: Spec) =>
    of.type === 'LoadBalancer' || of.type === 'NodePort' || (of.type === 'ClusterIP' && !!of.externalIPs?.length);
  if (dropped(isExternal) && spec.externalTrafficPolicy === old.externalTrafficPolicy)
    delete spec.externalTrafficPolicy;
}
