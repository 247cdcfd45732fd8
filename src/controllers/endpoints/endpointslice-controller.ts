import type { Node, Pod, Service } from '../../api/types/core.v1.gen.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import { EndpointSlices, Nodes, Pods, Services } from '../../client/resource-types.gen.ts';
import { timestamp } from '../conditions.ts';
import { ignoreNotFound } from '../parallel.ts';
import { isPodReady } from '../pod-state.ts';
import {
  type ControllerContext,
  type ControllerDefinition,
  controllerReference,
  createOwnWrites,
  defineController,
  watch,
} from '../runtime/index.ts';
import { isNamespaceTerminating } from '../service-account/service-account-controller.ts';
import { sameEntries } from './endpoints-controller.ts';
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
import { type EndpointSet, endpointIdentity, packSlices } from './slice-packing.ts';

const MAX_ENDPOINTS = 100;
const SERVICE_NAME = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
const LAST_CHANGE = 'endpoints.kubernetes.io/last-change-trigger-time';
const ZONE = 'topology.kubernetes.io/zone';
const BY_SERVICE = 'endpointslice-service';

/** Keeps the EndpointSlices of every Service that has a selector. */
export function endpointSliceController(): ControllerDefinition {
  return defineController({
    name: 'endpointslice-controller',
    concurrency: 5,
    setup(context) {
      const slices = context.informer(EndpointSlices);
      const writes = createOwnWrites(slices);

      async function apply(key: string, service: Service, family: string): Promise<void> {
        const existing = slices
          .byIndex(BY_SERVICE, key)
          .filter((slice) => slice.addressType === family && !slice.metadata.deletionTimestamp);
        const changes = packSlices(existing, endpointSets(service, family, context), MAX_ENDPOINTS);
        const labels = labelsOf(service);
        const create = [...changes.create];
        const remove = [...changes.remove];
        const update = [...changes.update];
        if (create.length + update.length + changes.keep.length === 0) {
          // A Service without endpoints has an empty slice that says so.
          const empty = remove.find(({ endpoints }) => !endpoints?.length) ?? remove[0];
          if (empty) {
            remove.splice(remove.indexOf(empty), 1);
            if (empty.endpoints?.length || empty.ports?.length) update.push({ ...empty, endpoints: [], ports: [] });
            else if (!sameEntries(empty.metadata.labels, labels)) update.push(empty);
          } else create.push({ ports: [], endpoints: [] });
        }
        for (const slice of changes.keep) if (!sameEntries(slice.metadata.labels, labels)) update.push(slice);

        const client = context.client.for(EndpointSlices);
        const annotations = { [LAST_CHANGE]: timestamp(context.now()) };
        for (const { ports, endpoints } of create) {
          const created = await client.create({
            apiVersion: 'discovery.k8s.io/v1',
            kind: 'EndpointSlice',
            metadata: {
              generateName: `${service.metadata.name}-`,
              namespace: service.metadata.namespace,
              labels,
              annotations,
              ownerReferences: [controllerReference(service, Services)],
            },
            addressType: family,
            ports,
            endpoints,
          });
          writes.wrote(key, created);
        }
        for (const slice of update) {
          const metadata = {
            ...slice.metadata,
            labels,
            annotations: { ...slice.metadata.annotations, ...annotations },
          };
          writes.wrote(key, await client.update({ ...slice, metadata }));
        }
        await removeSlices(key, remove);
      }

      async function removeSlices(key: string, list: readonly EndpointSlice[]): Promise<void> {
        for (const slice of list) {
          const { namespace, name, uid } = slice.metadata;
          await context.client
            .for(EndpointSlices)
            .delete({ namespace, name }, { preconditions: { uid } })
            .catch(ignoreNotFound);
          writes.deleted(key, slice);
        }
      }

      return {
        watches: [
          watch(Services),
          watch(EndpointSlices, {
            when: ({ object }) => object.metadata.labels?.[MANAGED_BY] === MANAGER,
            keys: serviceKeys,
            indexes: {
              [BY_SERVICE]: (slice) => (slice.metadata.labels?.[MANAGED_BY] === MANAGER ? serviceKeys(slice) : []),
            },
          }),
          watch(Pods, {
            when: endpointChanged,
            keys: (pod, { informer }) => servicesOf(informer(Services), pod),
          }),
          watch(Nodes, {
            when: ({ object, old }) => zoneOf(object) !== zoneOf(old),
            keys: (_node, { informer }) => informer(Services).list().map(objectKey),
          }),
        ],
        async reconcile({ key }) {
          if (writes.pending(key)) return { requeueAfterMs: 500 };
          const service = context.informer(Services).get(key);
          // Slices of a Service that is gone are the garbage collector's.
          if (!service || service.metadata.deletionTimestamp) return;
          if (!hasEndpoints(service)) {
            if (service.spec.type === 'ExternalName') await removeSlices(key, slices.byIndex(BY_SERVICE, key));
            return;
          }
          const families = service.spec.ipFamilies?.length ? service.spec.ipFamilies : ['IPv4'];
          try {
            for (const family of families) await apply(key, service, family);
          } catch (error) {
            if (isNamespaceTerminating(error)) return;
            throw error;
          }
          const foreign = slices.byIndex(BY_SERVICE, key).filter(({ addressType }) => !families.includes(addressType));
          await removeSlices(key, foreign);
        },
      };
    },
  });
}

const serviceKeys = ({ metadata }: EndpointSlice) =>
  metadata.labels?.[SERVICE_NAME] ? [`${metadata.namespace}/${metadata.labels[SERVICE_NAME]}`] : [];
const zoneOf = (node: Node | undefined) => node?.metadata.labels?.[ZONE];

function labelsOf(service: Service): Record<string, string> {
  const labels: Record<string, string> = { ...service.metadata.labels };
  delete labels[HEADLESS];
  if (isHeadless(service)) labels[HEADLESS] = '';
  labels[SERVICE_NAME] = service.metadata.name;
  labels[MANAGED_BY] = MANAGER;
  return labels;
}

function endpointSets(service: Service, family: string, { informer }: ControllerContext): EndpointSet[] {
  const sets = new Map<string, { ports: EndpointPort[]; endpoints: Map<string, Endpoint> }>();
  for (const pod of informer(Pods).list(service.metadata.namespace)) {
    if (!selects(service.spec.selector, pod) || !isEndpoint(pod, true)) continue;
    const address = podAddress(pod, family);
    if (!address) continue;
    const ports = portsOf(service, pod);
    const id = JSON.stringify(ports);
    const set = sets.get(id) ?? { ports, endpoints: new Map<string, Endpoint>() };
    sets.set(id, set);
    const node = pod.spec?.nodeName ? informer(Nodes).get(pod.spec.nodeName) : undefined;
    const endpoint = endpointOf(service, pod, address, zoneOf(node));
    set.endpoints.set(endpointIdentity(endpoint), endpoint);
  }
  return [...sets.values()];
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec.ports ?? []) {
    const port = targetPort(pod, servicePort);
    if (port === undefined) continue;
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    ports.push({ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return ports;
}

function endpointOf(service: Service, pod: Pod, address: string, zone: string | undefined): Endpoint {
  const { name, namespace, uid } = pod.metadata;
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = endpointHostname(pod, service);
  const nodeName = pod.spec?.nodeName;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(zone ? { zone } : {}),
    ...hintsOf(service, ready, zone, nodeName),
  };
}

/** Where traffic should come from, for Services that ask for it: `trafficDistribution`. */
function hintsOf(service: Service, ready: boolean, zone: string | undefined, nodeName: string | undefined) {
  const distribution = service.spec.trafficDistribution;
  if (!distribution || !ready || !zone) return {};
  const forZones = [{ name: zone }];
  if (distribution === 'PreferSameNode' && nodeName) return { hints: { forZones, forNodes: [{ name: nodeName }] } };
  return { hints: { forZones } };
}
