import type { Container, Pod, Service, ServicePort } from '../../api/types/core.v1.gen.ts';
import type { Informer } from '../../client/informer.ts';
import { isPodReady, isPodTerminal } from '../pod-state.ts';
import type { ObjectChange } from '../runtime/index.ts';

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None' || service.spec.clusterIP === '' || service.spec.clusterIP === undefined;
}

/** Services whose endpoints are ours to find: with a selector, and not an alias of an external name. */
export function hasEndpoints(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && service.spec.selector !== undefined;
}

export function selects(selector: Readonly<Record<string, string>> | undefined, pod: Pod): boolean {
  if (!selector) return false;
  const labels = pod.metadata.labels;
  for (const name in selector) if (labels?.[name] !== selector[name]) return false;
  return true;
}

/** Keys of the services that select a pod. */
export function servicesOf(services: Informer<Service>, pod: Pod): readonly string[] {
  const keys: string[] = [];
  for (const service of services.list(pod.metadata.namespace))
    if (selects(service.spec.selector, pod)) keys.push(`${service.metadata.namespace}/${service.metadata.name}`);
  return keys;
}

/** Pods whose address may be published. */
export function isEndpoint(pod: Pod, includeTerminating: boolean): boolean {
  if (isPodTerminal(pod)) return false;
  if (!pod.status?.podIP && !pod.status?.podIPs?.length) return false;
  return includeTerminating || !pod.metadata.deletionTimestamp;
}

/** The pod's address of a family (`IPv4`, `IPv6`), if it has one. */
export function podAddress(pod: Pod, family: string): string | undefined {
  const addresses = pod.status?.podIPs?.map(({ ip }) => ip) ?? (pod.status?.podIP ? [pod.status.podIP] : []);
  return addresses.find((address) => (address?.includes(':') ? 'IPv6' : 'IPv4') === family);
}

/** The container port behind a service port, or undefined when the pod has none of that name. */
export function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort;
  if (typeof target === 'number' && target !== 0) return target;
  if (target === undefined || target === 0 || target === '') return port.port;
  const protocol = port.protocol ?? 'TCP';
  const sidecars = pod.spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? [];
  const containers: readonly Container[] = [...(pod.spec?.containers ?? []), ...sidecars];
  for (const container of containers)
    for (const candidate of container.ports ?? [])
      if (candidate.name === target && (candidate.protocol ?? 'TCP') === protocol) return candidate.containerPort;
  return undefined;
}

/** The pod's own DNS name under the service, if it is meant to have one. */
export function endpointHostname(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  return hostname && subdomain === service.metadata.name ? hostname : undefined;
}

/** A pod changes all the time; its endpoints seldom do. */
export function endpointChanged({ type, object, old }: ObjectChange<Pod>): boolean {
  if (type !== 'update' || !old) return true;
  return (
    isPodReady(object) !== isPodReady(old) ||
    isPodTerminal(object) !== isPodTerminal(old) ||
    object.metadata.deletionTimestamp !== old.metadata.deletionTimestamp ||
    object.spec?.nodeName !== old.spec?.nodeName ||
    object.spec?.hostname !== old.spec?.hostname ||
    object.status?.podIP !== old.status?.podIP ||
    JSON.stringify(object.status?.podIPs) !== JSON.stringify(old.status?.podIPs) ||
    JSON.stringify(object.metadata.labels) !== JSON.stringify(old.metadata.labels)
  );
}
