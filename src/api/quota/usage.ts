import type { GroupResource } from '../../apimachinery/meta.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { PersistentVolumeClaim, Pod, Service } from '../types/core.v1.gen.ts';
import type { ResourceClaim } from '../types/resource.v1.gen.ts';
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
  if (resource.group === 'resource.k8s.io' && resource.resource === 'resourceclaims')
    return deviceUsage(object as ResourceClaim);
  return new Map([[countName(resource), ONE]]);
}

const POD_NAMES = new Set(
  ['cpu', 'memory', 'ephemeral-storage']
    .flatMap((name) => [name, `requests.${name}`, `limits.${name}`])
    .concat('pods', 'count/pods'),
);
const SERVICE_NAMES = new Set(['count/services', 'services', 'services.nodeports', 'services.loadbalancers']);
const CLAIM_NAMES = ['persistentvolumeclaims', 'requests.storage'];
const PER_DEVICE_CLASS = '.deviceclass.resource.k8s.io/devices';

/** Whether objects of a resource can use what a quota calls `name`. */
export function isQuotaNameOf(resource: GroupResource, name: string): boolean {
  if (name === countName(resource)) return true;
  if (resource.group === 'resource.k8s.io')
    return resource.resource === 'resourceclaims' && name.endsWith(PER_DEVICE_CLASS);
  if (resource.group !== '') return false;
  if (resource.resource === 'pods')
    return (
      POD_NAMES.has(name) ||
      /^(requests\.)?hugepages-/.test(name) ||
      (name.startsWith('requests.') && name.includes('/') && !name.includes('kubernetes.io/'))
    );
  if (resource.resource === 'services') return SERVICE_NAMES.has(name);
  if (resource.resource === 'persistentvolumeclaims')
    return CLAIM_NAMES.some((known) => name === known || name.endsWith(`.storageclass.storage.k8s.io/${known}`));
  return BARE_COUNTS.has(resource.resource) && name === resource.resource;
}

/** Devices by class, as many as the claim can get at most. */
function deviceUsage(claim: ResourceClaim): Usage {
  const usage = new Map([['count/resourceclaims.resource.k8s.io', ONE]]);
  const countOf = ({ allocationMode, count }: { readonly allocationMode?: string; readonly count?: number }) =>
    allocationMode === 'All' ? MOST_DEVICES : (count ?? 1);
  for (const { exactly, firstAvailable = [] } of claim.spec.devices?.requests ?? []) {
    const most = new Map<string, number>();
    for (const one of exactly ? [exactly] : firstAvailable) {
      const name = `${one.deviceClassName}${PER_DEVICE_CLASS}`;
      most.set(name, Math.max(most.get(name) ?? 0, countOf(one)));
    }
    for (const [name, count] of most) usage.set(name, (usage.get(name) ?? Quantity.zero).add(Quantity.parse(count)));
  }
  return usage;
}

/** What one allocation can hold. */
const MOST_DEVICES = 32;

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
    const storage = (allocated.cmp(asked) > 0 ? allocated : asked).roundUp(0);
    usage.set('requests.storage', storage);
    if (className) usage.set(ofClass('requests.storage'), storage);
  }
  return usage;
}
