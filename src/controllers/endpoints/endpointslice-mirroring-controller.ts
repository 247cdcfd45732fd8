import type { EndpointSubset, Endpoints as EndpointsObject } from '../../api/types/core.v1.gen.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import { EndpointSlices, Endpoints, Services } from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import {
  type ControllerDefinition,
  controllerReference,
  createOwnWrites,
  defineController,
  watch,
} from '../runtime/index.ts';
import { isNamespaceTerminating } from '../service-account/service-account-controller.ts';
import { type EndpointSet, endpointIdentity, packSlices } from './slice-packing.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const BY_SERVICE = 'endpointslice-mirror';
const MAX_ENDPOINTS = 100;
const MAX_PER_SUBSET = 1_000;

/** Mirrors Endpoints that people write by hand, for Services without a selector, into EndpointSlices. */
export function endpointSliceMirroringController(): ControllerDefinition {
  return defineController({
    name: 'endpointslice-mirroring-controller',
    concurrency: 5,
    setup(context) {
      const slices = context.informer(EndpointSlices);
      const writes = createOwnWrites(slices);

      async function remove(key: string, list: readonly EndpointSlice[]): Promise<void> {
        for (const slice of list) {
          const { namespace, name, uid } = slice.metadata;
          await context.client
            .for(EndpointSlices)
            .delete({ namespace, name }, { preconditions: { uid } })
            .catch(ignoreNotFound);
          writes.deleted(key, slice);
        }
      }

      async function mirror(key: string, endpoints: EndpointsObject, family: string): Promise<void> {
        const existing = slices.byIndex(BY_SERVICE, key).filter(({ addressType }) => addressType === family);
        const changes = packSlices(existing, endpointSets(endpoints, family), MAX_ENDPOINTS);
        const client = context.client.for(EndpointSlices);
        const labels = { ...endpoints.metadata.labels, [SERVICE_NAME]: endpoints.metadata.name, [MANAGED_BY]: MANAGER };
        for (const { ports, endpoints: list } of changes.create) {
          const created = await client.create({
            apiVersion: 'discovery.k8s.io/v1',
            kind: 'EndpointSlice',
            metadata: {
              generateName: `${endpoints.metadata.name}-`,
              namespace: endpoints.metadata.namespace,
              labels,
              ownerReferences: [controllerReference(endpoints, Endpoints)],
            },
            addressType: family,
            ports,
            endpoints: list,
          });
          writes.wrote(key, created);
        }
        for (const slice of changes.update) writes.wrote(key, await client.update(slice));
        await remove(key, changes.remove);
      }

      return {
        watches: [
          watch(Endpoints),
          watch(Services, {
            when: ({ object, old }) => !old || !object.spec.selector !== !old.spec.selector,
          }),
          watch(EndpointSlices, {
            when: ({ object }) => object.metadata.labels?.[MANAGED_BY] === MANAGER,
            keys: serviceKeys,
            indexes: {
              [BY_SERVICE]: (slice) => (slice.metadata.labels?.[MANAGED_BY] === MANAGER ? serviceKeys(slice) : []),
            },
          }),
        ],
        async reconcile({ key }) {
          if (writes.pending(key)) return { requeueAfterMs: 500 };
          const endpoints = context.informer(Endpoints).get(key);
          const service = context.informer(Services).get(key);
          if (!endpoints || !service || service.spec.selector || !isMirrored(endpoints)) {
            await remove(key, slices.byIndex(BY_SERVICE, key));
            return;
          }
          try {
            for (const family of ['IPv4', 'IPv6']) await mirror(key, endpoints, family);
          } catch (error) {
            if (!isNamespaceTerminating(error)) throw error;
          }
        },
      };
    },
  });
}

const serviceKeys = ({ metadata }: EndpointSlice) =>
  metadata.labels?.[SERVICE_NAME] ? [`${metadata.namespace}/${metadata.labels[SERVICE_NAME]}`] : [];

function isMirrored({ metadata }: EndpointsObject): boolean {
  return metadata.labels?.[SKIP] !== 'true' && metadata.annotations?.[LEADER] === undefined;
}

function endpointSets({ subsets = [] }: EndpointsObject, family: string): EndpointSet[] {
  const sets = new Map<string, { ports: EndpointPort[]; endpoints: Map<string, Endpoint> }>();
  for (const subset of subsets) {
    const ports = (subset.ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
      name,
      port,
      protocol,
      ...(appProtocol ? { appProtocol } : {}),
    }));
    const id = JSON.stringify(ports);
    const set = sets.get(id) ?? { ports, endpoints: new Map<string, Endpoint>() };
    for (const endpoint of endpointsOf(subset, family)) set.endpoints.set(endpointIdentity(endpoint), endpoint);
    if (set.endpoints.size > 0) sets.set(id, set);
  }
  return [...sets.values()];
}

function endpointsOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset, family: string): Endpoint[] {
  const all = [
    ...addresses.map((address) => ({ address, ready: true })),
    ...notReadyAddresses.map((address) => ({ address, ready: false })),
  ];
  return all
    .slice(0, MAX_PER_SUBSET)
    .filter(({ address }) => (address.ip.includes(':') ? 'IPv6' : 'IPv4') === family)
    .map(({ address: { ip, hostname, nodeName, targetRef }, ready }) => ({
      addresses: [ip],
      conditions: { ready },
      ...(hostname ? { hostname } : {}),
      ...(nodeName ? { nodeName } : {}),
      ...(targetRef ? { targetRef } : {}),
    }));
}
