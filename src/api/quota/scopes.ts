import type { GroupResource } from '../../apimachinery/meta.ts';
import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
} from '../types/core.v1.gen.ts';
import { isBestEffort } from './pod-usage.ts';

/** Whether an object counts for a quota: one with scopes counts only pods (and claims) that are in all of them. */
export function isInScopes(quota: ResourceQuota, { group, resource }: GroupResource, object: unknown): boolean {
  const requirements: readonly ScopedResourceSelectorRequirement[] = [
    ...(quota.spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (requirements.length === 0) return true;
  if (group !== '') return false;
  if (resource === 'pods') return requirements.every((requirement) => podMatches(object as Pod, requirement));
  if (resource === 'persistentvolumeclaims')
    return requirements.every((requirement) => claimMatches(object as PersistentVolumeClaim, requirement));
  return false;
}

function podMatches(pod: Pod, requirement: ScopedResourceSelectorRequirement): boolean {
  switch (requirement.scopeName) {
    case 'Terminating':
      return pod.spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return pod.spec.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'PriorityClass':
      return valueMatches(pod.spec.priorityClassName, requirement);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(pod);
    default:
      return false;
  }
}

function claimMatches(claim: PersistentVolumeClaim, requirement: ScopedResourceSelectorRequirement): boolean {
  return (
    requirement.scopeName === 'VolumeAttributesClass' &&
    valueMatches(claim.spec?.volumeAttributesClassName, requirement)
  );
}

function valueMatches(
  value: string | undefined,
  { operator, values = [] }: ScopedResourceSelectorRequirement,
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'DoesNotExist':
      return !value;
    default:
      return !!value;
  }
}

function crossesNamespaces(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
    ].some((term) => (term?.namespaces?.length ?? 0) > 0 || term?.namespaceSelector !== undefined),
  );
}
