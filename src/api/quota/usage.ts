import type { GroupResource } from '../../apimachinery/meta.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { PersistentVolumeClaim, Pod, Service } from '../types/core.v1.gen.ts';
import { podUsage, type Usage } from './pod-usage.ts';

export type { Usage } from './pod-usage.ts';

const ONE = Quantity.parse('1');
/** Counted under their bare name too, as before `count/` existed. */
const BARE_COUNTS = new Set(['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas']);

/** `count/deployments.apps`: the name under which a quota counts objects of a resource. */
export const countName = ({ group, resource }: GroupResource) => `count/${group ? `${resource}.${group}` : resource}`;

/** What one object uses of quotas, by the names that ResourceQuotas use. `now` is epoch milliseconds. */
export function quotaUsage(resource: GroupResource, object: unknown, now: number): Usage {
  if (resource.group === '') {
    if (resource.resource === 'pods') return podUsage(object as Pod, now);
    if (resource.resource === 'services') return serviceUsage(object as Service);
    if (resource.resource === 'persistentvolumeclaims') return claimUsage(object as PersistentVolumeClaim);
    if (BARE_COUNTS.has(resource.resource))
      return new Map([
        [countName(resource), ONE],
        [resource.resource, ONE],
      ]);
  }
  return new Map([[countName(resource), ONE]]);
}

function serviceUsage(service: Service): Usage {
  const usage = new Map([
    ['count/services', ONE],
    ['services', ONE],
  ]);
  const { type, ports = [] } = service.spec;
  if (type === 'NodePort') usage.set('services.nodeports', Quantity.parse(ports.length));
  if (type === 'LoadBalancer') {
    usage.set('services.loadbalancers', ONE);
    const nodePorts =
      service.spec.allocateLoadBalancerNodePorts === false
        ? ports.filter((port) => port.nodePort).length
        : ports.length;
    usage.set('services.nodeports', Quantity.parse(nodePorts));
  }
  return usage;
}

function claimUsage(claim: PersistentVolumeClaim): Usage {
  const usage = new Map([
    ['count/persistentvolumeclaims', ONE],
    ['persistentvolumeclaims', ONE],
  ]);
  const className =
    claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName;
  const ofClass = (name: string) => `${className}.storageclass.storage.k8s.io/${name}`;
  if (className) usage.set(ofClass('persistentvolumeclaims'), ONE);
  const requested = claim.spec?.resources?.requests?.storage;
  if (requested !== undefined) {
    const asked = Quantity.parse(requested);
    const allocated = Quantity.parse(claim.status?.allocatedResources?.storage ?? '0');
    const storage = allocated.cmp(asked) > 0 ? allocated : asked;
    usage.set('requests.storage', storage);
    if (className) usage.set(ofClass('requests.storage'), storage);
  }
  return usage;
}
