import type { GroupResource } from '../../apimachinery/meta.ts';
import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
} from '../types/core.v1.gen.ts';
import { isBestEffort } from './pod-usage.ts';

type Requirement = ScopedResourceSelectorRequirement;

/** What the scopes of a quota demand. */
export const scopesOf = ({ spec }: ResourceQuota): readonly Requirement[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

/** The requirements that an object meets. Nothing but pods and claims meets any. */
export function metScopes(
  { group, resource }: GroupResource,
  object: unknown,
  requirements: readonly Requirement[],
): readonly Requirement[] {
  if (requirements.length === 0 || group !== '') return [];
  if (resource === 'pods') return requirements.filter((requirement) => podMatches(object as Pod, requirement));
  if (resource === 'persistentvolumeclaims')
    return requirements.filter((requirement) => claimMatches(object as PersistentVolumeClaim, requirement));
  return [];
}

/** Whether an object counts for a quota: one with scopes counts only pods (and claims) that are in all of them. */
export function isInScopes(quota: ResourceQuota, resource: GroupResource, object: unknown): boolean {
  const requirements = scopesOf(quota);
  return metScopes(resource, object, requirements).length === requirements.length;
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

/** A claim counts for the class that it asks for, the one that it has and the one that it is on its way to. */
function claimMatches({ spec, status }: PersistentVolumeClaim, requirement: Requirement): boolean {
  if (requirement.scopeName !== 'VolumeAttributesClass') return false;
  const classes = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter(Boolean);
  if (classes.length === 0) return valueMatches(undefined, requirement);
  return classes.some((name) => valueMatches(name, requirement));
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
