import type { Draft } from '../../apimachinery/json.ts';
import { semanticEqual } from '../field-checks.ts';
import type { Service, ServiceSpec } from '../types/core.v1.gen.ts';

const hasClusterIP = (spec: ServiceSpec | Draft<ServiceSpec>) => spec.type !== 'ExternalName';

export const hasNodePorts = (spec: ServiceSpec | Draft<ServiceSpec>) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

export const hasHealthCheckPort = (spec: ServiceSpec | Draft<ServiceSpec>) =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/**
 * An update that says nothing of addresses and node ports keeps the allocated ones, and one that changes the type drops
 * those that the new type has no use for.
 */
export function carryOverAllocations({ spec }: Draft<Service>, old: Service): void {
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

function carryOverNodePorts(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const taken = new Set((spec.ports ?? []).map(({ nodePort, protocol }) => `${protocol}/${nodePort ?? 0}`));
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const before =
      old.ports?.find(
        (candidate) =>
          candidate.port === port.port &&
          candidate.protocol === port.protocol &&
          (candidate.name ?? '') === (port.name ?? ''),
      ) ?? old.ports?.find((candidate) => candidate.port === port.port && candidate.protocol === port.protocol);
    if (!before?.nodePort || taken.has(`${before.protocol}/${before.nodePort}`)) continue;
    port.nodePort = before.nodePort;
    taken.add(`${before.protocol}/${before.nodePort}`);
  }
}

/** Only what is as it was is dropped: what the client set on purpose is left to validation. */
function dropUnused(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const dropped = (uses: (spec: ServiceSpec | Draft<ServiceSpec>) => boolean) => uses(old) && !uses(spec);
  if (dropped(hasClusterIP)) {
    if (semanticEqual(spec.clusterIPs, old.clusterIPs) && spec.clusterIP === old.clusterIP) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    for (const field of ['ipFamilies', 'ipFamilyPolicy'] as const)
      if (semanticEqual(spec[field], old[field])) delete spec[field];
    if (spec.internalTrafficPolicy === old.internalTrafficPolicy) delete spec.internalTrafficPolicy;
  }
  if (dropped(hasNodePorts)) {
    const before = new Map((old.ports ?? []).map((port) => [`${port.protocol}/${port.port}`, port.nodePort]));
    for (const port of spec.ports ?? [])
      if (port.nodePort === before.get(`${port.protocol}/${port.port}`)) delete port.nodePort;
  }
  if (dropped(hasHealthCheckPort) && spec.healthCheckNodePort === old.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  if (dropped((of) => of.type === 'LoadBalancer')) {
    if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  }
  const isExternal = (of: ServiceSpec | Draft<ServiceSpec>) =>
    of.type === 'LoadBalancer' || of.type === 'NodePort' || (of.type === 'ClusterIP' && !!of.externalIPs?.length);
  if (dropped(isExternal) && spec.externalTrafficPolicy === old.externalTrafficPolicy)
    delete spec.externalTrafficPolicy;
}
