import type { Service } from '../api/types/core.v1.gen.ts';
import type { Endpoint, EndpointSlice } from '../api/types/discovery.v1.gen.ts';

/** One address that answers. */
export interface Backend {
  readonly ip: string;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
}

/** One port of a Service with everything that decides where its packets go. */
export interface ServicePort {
  /** `namespace/name:port name`. */
  readonly id: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  readonly clusterIP: string;
  /** Load balancer and external IPs. */
  readonly externalIPs: readonly string[];
  /** 0 when it has none. */
  readonly nodePort: number;
  /** Seconds; 0 without session affinity. */
  readonly affinitySeconds: number;
  readonly internalLocalOnly: boolean;
  readonly externalLocalOnly: boolean;
  readonly backends: readonly Backend[];
  /** CIDRs that may reach the load balancer's addresses; empty for all. */
  readonly sourceRanges: readonly string[];
}

/** The label that keeps the default proxy away from a Service (another proxy serves it). */
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

/** IPv4 ports of a Service; none for headless and ExternalName ones. Sorted by id and backend for stable rules. */
export function servicePorts(service: Service, slices: readonly EndpointSlice[], nodeName: string): ServicePort[] {
  const { spec, metadata } = service;
  const clusterIP = [spec.clusterIP, ...(spec.clusterIPs ?? [])].find((ip) => ip && isIPv4(ip));
  if (spec.type === 'ExternalName' || !clusterIP || metadata.labels?.[PROXY_NAME_LABEL] !== undefined) return [];
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .filter((entry) => entry.ip && entry.ipMode !== 'Proxy')
    .map((entry) => entry.ip!);
  const externalIPs = [...(spec.externalIPs ?? []), ...ingress].filter(isIPv4);
  return (spec.ports ?? []).map((port) => ({
    id: `${metadata.namespace}/${metadata.name}:${port.name ?? ''}`,
    protocol: (port.protocol ?? 'TCP').toLowerCase() as ServicePort['protocol'],
    port: port.port,
    clusterIP,
    externalIPs,
    nodePort: port.nodePort ?? 0,
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : 0,
    internalLocalOnly: spec.internalTrafficPolicy === 'Local',
    externalLocalOnly: spec.externalTrafficPolicy === 'Local',
    backends: backendsOf(port.name ?? '', slices, nodeName),
    sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()),
  }));
}

/** Ready endpoints; while none is ready, those that still serve while they terminate. */
function backendsOf(portName: string, slices: readonly EndpointSlice[], nodeName: string): Backend[] {
  const ready = new Map<string, Backend>();
  const terminating = new Map<string, Backend>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    const port = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const into = isReady(endpoint) ? ready : isServing(endpoint) ? terminating : undefined;
      const ip = endpoint.addresses[0];
      if (into && ip) into.set(`${ip}:${port}`, { ip, port, local: endpoint.nodeName === nodeName });
    }
  }
  const chosen = ready.size ? ready : terminating;
  return [...chosen.values()].sort((a, b) => (a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1));
}

const isReady = ({ conditions }: Endpoint) => conditions?.ready !== false;
const isServing = ({ conditions }: Endpoint) => conditions?.serving === true && conditions.terminating === true;
const isIPv4 = (ip: string) => /^\d+\.\d+\.\d+\.\d+$/.test(ip);
