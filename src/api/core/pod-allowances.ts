import { FieldPath } from '../../apimachinery/field.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import type { PodAffinityTerm, PodSpec } from '../types/core.v1.gen.ts';
import { hasInvalidDeletionCost } from './pod-annotations.ts';
import { hasInvalidNodeValue } from './pod-spec/affinity.ts';
import { noAllowances, type PodAllowances } from './pod-spec/allowances.ts';
import { validateLabelKeys } from './pod-spec/label-keys.ts';
import { validateFileName } from './pod-spec/paths.ts';
import { isHugePages, isWholePages } from './pod-spec/resources.ts';
import { sharesSysctl } from './pod-spec/security-context.ts';
import { visitContainers } from './pod-spec/visit-containers.ts';

interface Templated {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: PodSpec;
}

const anywhere = FieldPath.of('spec');

/** What the successor of `old` (a pod, or a pod template) may have; nothing special when there is none. */
export function podAllowances(old: Templated | undefined): PodAllowances {
  const spec = old?.spec;
  if (!spec)
    return old ? { ...noAllowances, anyDeletionCost: hasInvalidDeletionCost(old.metadata?.annotations) } : noAllowances;
  const { affinity, securityContext, topologySpreadConstraints = [], hostUsers } = spec;
  const selectors = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap((of): Partial<PodAffinityTerm>[] => [
    ...(of?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(of?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm ?? {}),
  ]);
  return {
    anyDeletionCost: hasInvalidDeletionCost(old.metadata?.annotations),
    dividedHugePages: dividesHugePages(spec),
    anySelectorValue: selectors.some(
      ({ labelSelector, namespaceSelector }) =>
        validateLabelSelector(labelSelector, anywhere).length > 0 ||
        validateLabelSelector(namespaceSelector, anywhere).length > 0,
    ),
    anyNodeAffinityValue: hasInvalidNodeValue(affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    anySpreadSelector: topologySpreadConstraints.some(
      ({ labelSelector }) => validateLabelSelector(labelSelector, anywhere).length > 0,
    ),
    anySpreadLabelKeys: topologySpreadConstraints.some(
      (constraint) => validateLabelKeys(constraint, anywhere).length > 0,
    ),
    sharedSysctls: (securityContext?.sysctls ?? []).some(({ name }) => sharesSysctl(name, spec) !== undefined),
    anyTokenPath: (spec.volumes ?? []).some(({ projected }) =>
      projected?.sources?.some(
        ({ serviceAccountToken }) =>
          serviceAccountToken && validateFileName(serviceAccountToken.path ?? '', anywhere).length > 0,
      ),
    ),
    hostNetworkOfOwnUsers: hostUsers === false && spec.hostNetwork === true,
    volumeDevicesOfOwnUsers: hostUsers === false && hasVolumeDevices(spec),
    comparingTolerations: (spec.tolerations ?? []).some(({ operator }) => operator === 'Lt' || operator === 'Gt'),
    anySELinuxChangePolicy: securityContext?.seLinuxChangePolicy !== undefined,
  };
}

function dividesHugePages(spec: PodSpec): boolean {
  const lists = [spec.overhead];
  visitContainers(spec, anywhere, ({ resources }) => lists.push(resources?.limits, resources?.requests));
  return lists.some((list) =>
    Object.entries(list ?? {}).some(([name, amount]) => isHugePages(name) && !isWholePages(name, amount)),
  );
}

function hasVolumeDevices(spec: PodSpec): boolean {
  let found = false;
  visitContainers(spec, anywhere, ({ volumeDevices }) => {
    if (volumeDevices?.length) found = true;
  });
  return found;
}
