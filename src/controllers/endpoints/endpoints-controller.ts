import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints as EndpointsObject,
  Pod,
  Service,
} from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { Endpoints, Pods, Services } from '../../client/resource-types.gen.ts';
import { timestamp } from '../conditions.ts';
import { ignoreNotFound } from '../parallel.ts';
import { isPodReady } from '../pod-state.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { isNamespaceTerminating } from '../service-account/service-account-controller.ts';
import {
  endpointChanged,
  endpointHostname,
  hasEndpoints,
  isEndpoint,
  isHeadless,
  podAddress,
  selects,
  servicesOf,
  targetPort,
} from './service-pods.ts';

const CAPACITY = 1_000;
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const LAST_CHANGE = 'endpoints.kubernetes.io/last-change-trigger-time';
const HEADLESS = 'service.kubernetes.io/headless';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';

/** Keeps the Endpoints of every Service that has a selector. EndpointSlices are the same in a better form. */
export function endpointsController(): ControllerDefinition {
  return defineController({
    name: 'endpoint-controller',
    concurrency: 5,
    watches: [
      watch(Services),
      watch(Endpoints),
      watch(Pods, {
        when: endpointChanged,
        keys: (pod, { informer }) => servicesOf(informer(Services), pod),
      }),
    ],
    async reconcile({ key, namespace, name }, { client, informer, events, now }) {
      const service = informer(Services).get(key);
      const current = informer(Endpoints).get(key);
      if (!service) {
        // Endpoints that this controller made go with their Service; those made by hand stay.
        if (current?.metadata.labels?.[MANAGED_BY] === 'endpoint-controller')
          await client
            .for(Endpoints)
            .delete({ namespace, name }, { preconditions: { uid: current.metadata.uid } })
            .catch(ignoreNotFound);
        return;
      }
      if (!hasEndpoints(service) || service.metadata.deletionTimestamp) return;
      const pods = informer(Pods)
        .list(namespace)
        .filter((pod) => selects(service.spec.selector, pod));
      const { subsets, truncated } = truncate(subsetsOf(service, pods));
      const labels = labelsOf(service);
      if (
        current &&
        JSON.stringify(current.subsets ?? []) === JSON.stringify(subsets) &&
        sameEntries(current.metadata.labels, labels) &&
        (current.metadata.annotations?.[OVER_CAPACITY] !== undefined) === truncated
      )
        return;
      const annotations: Record<string, string> = { ...current?.metadata.annotations, [LAST_CHANGE]: timestamp(now()) };
      if (truncated) annotations[OVER_CAPACITY] = 'truncated';
      else delete annotations[OVER_CAPACITY];
      try {
        if (current)
          await client
            .for(Endpoints)
            .update({ ...current, metadata: { ...current.metadata, labels, annotations }, subsets });
        else
          await client.for(Endpoints).create({
            apiVersion: 'v1',
            kind: 'Endpoints',
            metadata: { namespace, name, labels, annotations },
            subsets,
          });
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        // The cache is behind; the event that brings it up to date queues the key.
        if (isStatusError(error, 'AlreadyExists') || isStatusError(error, 'Conflict')) throw error;
        const reason = current ? 'FailedToUpdateEndpoint' : 'FailedToCreateEndpoint';
        const action = current ? 'update' : 'create';
        events.event(
          service,
          'Warning',
          reason,
          `Failed to ${action} endpoint ${namespace}/${name}: ${(error as Error).message}`,
        );
        throw error;
      }
    },
  });
}

function labelsOf(service: Service): Record<string, string> {
  const labels: Record<string, string> = { ...service.metadata.labels, [MANAGED_BY]: 'endpoint-controller' };
  if (isHeadless(service)) labels[HEADLESS] = '';
  else delete labels[HEADLESS];
  return labels;
}

function subsetsOf(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const family = service.spec.ipFamilies?.[0] ?? 'IPv4';
  /** By port list: pods with other numbers behind the same names have a subset of their own. */
  const subsets = new Map<string, { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const pod of pods) {
    if (!isEndpoint(pod, service.spec.publishNotReadyAddresses ?? false)) continue;
    const ip = podAddress(pod, family);
    if (!ip) continue;
    const ports = portsOf(service, pod);
    if (ports.length === 0 && service.spec.ports?.length) continue;
    const id = JSON.stringify(ports);
    const subset = subsets.get(id) ?? { ports, ready: [], notReady: [] };
    subsets.set(id, subset);
    const ready = service.spec.publishNotReadyAddresses || isPodReady(pod);
    (ready ? subset.ready : subset.notReady).push(addressOf(service, pod, ip));
  }
  return [...subsets]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length > 0 ? { addresses: ready.sort(byIp) } : {}),
      ...(notReady.length > 0 ? { notReadyAddresses: notReady.sort(byIp) } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    }));
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec.ports ?? []) {
    const port = targetPort(pod, servicePort);
    if (port === undefined) continue;
    const { name, protocol = 'TCP', appProtocol } = servicePort;
    ports.push({ ...(name ? { name } : {}), port, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return ports;
}

function addressOf(service: Service, pod: Pod, ip: string): EndpointAddress {
  const { name, namespace, uid } = pod.metadata;
  const hostname = endpointHostname(pod, service);
  return {
    ip,
    ...(hostname ? { hostname } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

const byIp = (a: EndpointAddress, b: EndpointAddress) => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0);

/** At most 1,000 addresses, ready ones first: more would make an object nobody can handle. */
function truncate(subsets: EndpointSubset[]): { subsets: EndpointsObject['subsets'] & {}; truncated: boolean } {
  const total = subsets.reduce(
    (sum, subset) => sum + (subset.addresses?.length ?? 0) + (subset.notReadyAddresses?.length ?? 0),
    0,
  );
  if (total <= CAPACITY) return { subsets, truncated: false };
  let room = CAPACITY;
  const take = (list: readonly EndpointAddress[] | undefined) => {
    const taken = list?.slice(0, room) ?? [];
    room -= taken.length;
    return taken;
  };
  const ready = subsets.map((subset) => take(subset.addresses));
  const cut = subsets.map(({ ports, notReadyAddresses }, index) => {
    const addresses = ready[index] ?? [];
    const notReady = take(notReadyAddresses);
    return {
      ...(addresses.length > 0 ? { addresses } : {}),
      ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
      ...(ports ? { ports } : {}),
    };
  });
  return { subsets: cut.filter(({ addresses, notReadyAddresses }) => addresses || notReadyAddresses), truncated: true };
}

export function sameEntries(
  a: Readonly<Record<string, string>> | undefined,
  b: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(b);
  return names.length === Object.keys(a ?? {}).length && names.every((name) => a?.[name] === b[name]);
}
