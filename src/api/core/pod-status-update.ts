import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from '../../apimachinery/names.ts';
import { immutable, invalidFor } from '../field-checks.ts';
import type { Container, ContainerStatus, Pod, PodStatus } from '../types/core.v1.gen.ts';
import { internalForm } from './internal-form.ts';
import { isDualStack, validateLegacyIP } from './legacy-addresses.ts';
import { validatePodAnnotationsUpdate } from './pod-annotations.ts';
import { validateStateTransitions } from './pod-state-transitions.ts';

const path = FieldPath.of('status');
const nonNegative = 'must be a non-negative integer';
const MAX_ID = 2 ** 31 - 1;
const systemConditions = ['PodScheduled', 'Ready', 'Initialized'];
const healths = ['Healthy', 'Unhealthy', 'Unknown'];

/** The status subresource: the spec stays (the strategy sees to it), containers that ended for good stay ended. */
export function validatePodStatusUpdate(pod: Pod, old: Pod): FieldError[] {
  const status = pod.status ?? {};
  const before = old.status ?? {};
  const errors = [
    ...validatePodAnnotationsUpdate(
      pod.metadata.annotations,
      old.metadata.annotations,
      FieldPath.of('metadata', 'annotations'),
    ),
    ...validateConditions(status),
  ];
  const nominated = status.nominatedNodeName;
  if (nominated && nominated !== before.nominatedNodeName) {
    const at = path.child('nominatedNodeName');
    errors.push(...invalidFor(at, nominated, isDns1123Subdomain(nominated)));
    if (old.spec.nodeName) errors.push(forbiddenField(at, 'may not be set on pods that are already bound to a node'));
  }
  if ((status.observedGeneration ?? 0) < 0)
    errors.push(invalidValue(path.child('observedGeneration'), status.observedGeneration, nonNegative));
  errors.push(
    ...immutable(path.child('qosClass'), status.qosClass ?? '', before.qosClass ?? ''),
    ...validateStateTransitions(status, before, old.spec, path),
    ...validateClaimStatuses(pod),
    ...validateExtendedClaimStatus(pod),
    ...validateAddresses('podIPs', status, before),
    ...validateHostIPs(status, before),
  );
  for (const list of lists) errors.push(...validateUsers(status[list], path.child(list), pod.spec.os?.name));
  errors.push(
    ...validateHealth(status.containerStatuses, path.child('containerStatuses'), pod.spec.containers),
    ...validateHealth(status.initContainerStatuses, path.child('initContainerStatuses'), pod.spec.initContainers),
  );
  status.ephemeralContainerStatuses?.forEach(({ allocatedResourcesStatus }, index) => {
    if (allocatedResourcesStatus?.length)
      errors.push(
        forbiddenField(
          path.child('ephemeralContainerStatuses').index(index).child('allocatedResourcesStatus'),
          'must not be specified in container status',
        ),
      );
  });
  return errors;
}

const lists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;

function validateConditions({ conditions }: PodStatus): FieldError[] {
  return (conditions ?? []).flatMap(({ type = '', observedGeneration = 0 }, index) => {
    const at = path.child('conditions').index(index);
    const errors =
      observedGeneration < 0 ? [invalidValue(at.child('observedGeneration'), observedGeneration, nonNegative)] : [];
    return systemConditions.includes(type)
      ? errors
      : [...errors, ...invalidFor(at.child('Type'), type, isQualifiedName(type))];
  });
}

function validateClaimStatuses({ spec, status }: Pod): FieldError[] {
  const seen = new Set<string>();
  return (status?.resourceClaimStatuses ?? []).flatMap(({ name, resourceClaimName }, index) => {
    const at = path.child('resourceClaimStatuses').index(index);
    const errors: FieldError[] = [];
    if (!spec.resourceClaims?.some((claim) => claim.name === name))
      errors.push(invalidValue(at.child('name'), name, 'must match the name of an entry in `spec.resourceClaims`'));
    if (seen.has(name)) errors.push(duplicate(at.child('name'), name));
    seen.add(name);
    if (resourceClaimName !== undefined)
      errors.push(
        ...invalidFor(at.child('resourceClaimName'), resourceClaimName, isDns1123Subdomain(resourceClaimName)),
      );
    return errors;
  });
}

/** Which request of the generated claim serves which container's extended resource. */
function validateExtendedClaimStatus({ spec, status }: Pod): FieldError[] {
  const claim = status?.extendedResourceClaimStatus;
  if (!claim) return [];
  const at = path.child('extendedResourceClaimStatus');
  const mappings = at.child('requestMappings');
  const errors = claim.requestMappings?.length ? [] : [required(mappings, 'at least one request mapping is required')];
  const containers = new Map<string, Container>();
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])])
    containers.set(container.name, container);
  const seen = new Set<string>();
  claim.requestMappings?.forEach(({ containerName, resourceName, requestName }, index) => {
    const mapping = mappings.index(index);
    const container = containers.get(containerName);
    if (!container)
      errors.push(
        invalidValue(
          mapping.child('containerName'),
          containerName,
          'must match the name of an entry in spec.initContainers.name or spec.containers.name',
        ),
      );
    else if (container.resources?.requests?.[resourceName] === undefined)
      errors.push(
        invalidValue(
          mapping.child('resourceName'),
          resourceName,
          'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests',
        ),
      );
    errors.push(...invalidFor(at.child('requestName'), requestName, isDns1123Label(requestName)));
    const key = JSON.stringify([containerName, resourceName, requestName]);
    if (seen.has(key))
      errors.push(
        duplicate(mapping.child('containerName'), containerName),
        duplicate(mapping.child('resourceName'), resourceName),
        duplicate(mapping.child('requestName'), requestName),
      );
    seen.add(key);
  });
  const at2 = at.child('resourceClaimName');
  return [
    ...errors,
    ...(claim.resourceClaimName
      ? invalidFor(at2, claim.resourceClaimName, isDns1123Subdomain(claim.resourceClaimName))
      : [required(at2)]),
  ];
}

const addresses = (list: readonly { readonly ip?: string }[] | undefined) => (list ?? []).map(({ ip = '' }) => ip);

function validateAddresses(list: 'podIPs' | 'hostIPs', status: PodStatus, old: PodStatus): FieldError[] {
  const at = path.child(list);
  const now = addresses(status[list]);
  const kept = addresses(old[list]);
  const errors = now.flatMap((address, index) => validateLegacyIP(at.index(index), address, kept));
  if (now.length > 1 && (now.length > 2 || !isDualStack(now)))
    errors.push(
      invalidValue(at, internalForm('PodIP', status[list]), 'may specify no more than one IP for each IP family'),
    );
  return errors;
}

function validateHostIPs(status: PodStatus, old: PodStatus): FieldError[] {
  const first = status.hostIPs?.[0]?.ip;
  if (!status.hostIPs?.length) return [];
  const errors = validateAddresses('hostIPs', status, old);
  return first === status.hostIP
    ? errors
    : [invalidValue(path.child('hostIPs').index(0).child('ip'), first ?? '', 'must be equal to `hostIP`'), ...errors];
}

function validateUsers(
  statuses: readonly ContainerStatus[] | undefined,
  at: FieldPath,
  os: string | undefined,
): FieldError[] {
  return (statuses ?? []).flatMap(({ user }, index) => {
    const linux = user?.linux;
    if (!linux) return [];
    const where = at.index(index).child('user', 'linux');
    if (os === 'windows') return [forbiddenField(where, 'cannot be set for a windows pod')];
    const check = (field: FieldPath, id: number): FieldError[] =>
      id < 0 || id > MAX_ID ? [invalidValue(field, id, `must be between 0 and ${MAX_ID}, inclusive`)] : [];
    return [
      ...check(where.child('uid'), linux.uid),
      ...check(where.child('gid'), linux.gid),
      ...(linux.supplementalGroups ?? []).flatMap((group, i) =>
        check(where.child('supplementalGroups').index(i), group),
      ),
    ];
  });
}

/** Health is told of resources that the container asks for, each device once. */
function validateHealth(
  statuses: readonly ContainerStatus[] | undefined,
  at: FieldPath,
  containers: readonly Container[] | undefined,
): FieldError[] {
  const byName = new Map((containers ?? []).map((container) => [container.name, container]));
  return (statuses ?? []).flatMap(({ name, allocatedResourcesStatus }, index) => {
    const errors: FieldError[] = [];
    allocatedResourcesStatus?.forEach((resource, j) => {
      const where = at.index(index).child('allocatedResourcesStatus').index(j);
      const container = byName.get(name);
      if (container) errors.push(...validateResourceOf(container, resource.name, where.child('name')));
      const seen = new Set<string>();
      resource.resources?.forEach(({ resourceID, health = '' }, k) => {
        const device = where.child('resources').index(k);
        if (!healths.includes(health)) errors.push(notSupported(device.child('health'), health, healths));
        if (seen.has(resourceID)) errors.push(duplicate(device.child('resourceID'), resourceID));
        seen.add(resourceID);
      });
    });
    return errors;
  });
}

function validateResourceOf({ resources }: Container, name: string, at: FieldPath): FieldError[] {
  if (name.startsWith('claim:')) {
    const known = resources?.claims?.some((claim) =>
      claim.request ? name === `claim:${claim.name}/${claim.request}` : name === `claim:${claim.name}`,
    );
    return known
      ? []
      : [
          invalidValue(
            at,
            name,
            "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty",
          ),
        ];
  }
  return resources?.requests?.[name] === undefined
    ? [invalidValue(at, name, "must match one of the container's resource requests")]
    : [];
}
