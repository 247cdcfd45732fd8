import {
  type FieldError,
  FieldPath,
  fieldNotFound,
  forbiddenField,
  invalidValue,
  required,
} from '../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { semanticEqual } from '../field-checks.ts';
import type { Container, NodeSelector, Pod, PodSpec, Toleration } from '../types/core.v1.gen.ts';

const MAX_INT32 = 2 ** 31 - 1;
const spec = FieldPath.of('spec');

/** What an update of a pod may change: images, the deadline (shorter), tolerations (more), gates (fewer), and grace -1 to 1. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const errors: FieldError[] = [];
  for (const list of ['containers', 'initContainers'] as const) {
    const containers = pod.spec[list] ?? [];
    if (containers.length !== (old.spec[list] ?? []).length) {
      return [...errors, forbiddenField(spec.child(list), 'pod updates may not add or remove containers')];
    }
    containers.forEach((container, index) => {
      if (!container.image) errors.push(required(spec.child(list).index(index).child('image')));
    });
  }
  errors.push(...validateDeadlineUpdate(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds));
  const gated = (old.spec.schedulingGates ?? []).length > 0;
  const oldGates = new Set((old.spec.schedulingGates ?? []).map(({ name }) => name));
  for (const { name } of pod.spec.schedulingGates ?? [])
    if (!oldGates.has(name))
      errors.push(
        forbiddenField(
          spec.child('schedulingGates'),
          `only deletion is allowed, but found new scheduling gate '${name}'`,
        ),
      );
  errors.push(...validateTolerationUpdate(pod.spec.tolerations ?? [], old.spec.tolerations ?? []));
  if (errors.length > 0) return errors;

  const negativeGrace =
    (old.spec.terminationGracePeriodSeconds ?? 0) < 0 && pod.spec.terminationGracePeriodSeconds === 1;
  let allowed: PodSpec = {
    ...pod.spec,
    containers: withImagesOf(pod.spec.containers, old.spec.containers) ?? [],
    initContainers: withImagesOf(pod.spec.initContainers, old.spec.initContainers),
    activeDeadlineSeconds: old.spec.activeDeadlineSeconds,
    schedulingGates: old.spec.schedulingGates,
    tolerations: old.spec.tolerations,
    ...(negativeGrace ? { terminationGracePeriodSeconds: old.spec.terminationGracePeriodSeconds } : {}),
  };
  if (gated) {
    errors.push(...validateGatedUpdate(pod.spec, old.spec));
    if (errors.length > 0) return errors;
    allowed = { ...allowed, nodeSelector: old.spec.nodeSelector, affinity: withNodeAffinityOf(allowed, old.spec) };
  }
  if (semanticEqual(allowed, old.spec)) return errors;
  return [
    ...errors,
    forbiddenField(
      spec,
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
        '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
        '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)' +
        describeChanges(allowed, old.spec),
    ),
  ];
}

function withImagesOf(
  containers: readonly Container[] | undefined,
  old: readonly Container[] | undefined,
): readonly Container[] | undefined {
  return containers?.map((container, index) => ({ ...container, image: old?.[index]?.image ?? '' }));
}

/** The changed fields, one a line, each with its old and its new value. */
function describeChanges(allowed: PodSpec, old: PodSpec): string {
  const now = allowed as unknown as Readonly<Record<string, unknown>>;
  const before = old as unknown as Readonly<Record<string, unknown>>;
  const lines = [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((field) => !semanticEqual(now[field], before[field]))
    .sort()
    .flatMap((field) => [`- ${field}: ${JSON.stringify(before[field])}`, `+ ${field}: ${JSON.stringify(now[field])}`]);
  return ['', ...lines].join('\n');
}

function validateDeadlineUpdate(seconds: number | undefined, old: number | undefined): FieldError[] {
  const path = spec.child('activeDeadlineSeconds');
  if (seconds === undefined)
    return old === undefined
      ? []
      : [invalidValue(path, undefined, 'must not update from a positive integer to nil value')];
  if (seconds < 0 || seconds > MAX_INT32)
    return [invalidValue(path, seconds, `must be between 0 and ${MAX_INT32}, inclusive`)];
  return old !== undefined && old < seconds
    ? [invalidValue(path, seconds, 'must be less than or equal to previous value')]
    : [];
}

function validateTolerationUpdate(tolerations: readonly Toleration[], old: readonly Toleration[]): FieldError[] {
  const withoutSeconds = ({ tolerationSeconds: _, ...rest }: Toleration) => rest;
  const kept = old.every((before) =>
    tolerations.some((toleration) => semanticEqual(withoutSeconds(toleration), withoutSeconds(before))),
  );
  return kept
    ? []
    : [
        forbiddenField(
          spec.child('tolerations'),
          'existing toleration can not be modified except its tolerationSeconds',
        ),
      ];
}

/** A pod behind a scheduling gate may be made choosier about its node, never less so. */
function validateGatedUpdate(pod: PodSpec, old: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const selector = pod.nodeSelector ?? {};
  if (Object.entries(old.nodeSelector ?? {}).some(([key, value]) => selector[key] !== value))
    errors.push(
      invalidValue(
        spec.child('nodeSelector'),
        selector,
        'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
      ),
    );
  const before = old.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const now = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (before && !narrows(now, before))
    errors.push(
      invalidValue(
        spec.child('affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms'),
        now?.nodeSelectorTerms ?? [],
        'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
      ),
    );
  return errors;
}

function narrows(now: NodeSelector | undefined, before: NodeSelector): boolean {
  const terms = before.nodeSelectorTerms ?? [];
  if (now?.nodeSelectorTerms?.length !== terms.length) return false;
  return terms.every((term, index) =>
    (['matchExpressions', 'matchFields'] as const).every((field) => {
      const requirements = now.nodeSelectorTerms[index]?.[field] ?? [];
      return (term[field] ?? []).every((kept) => requirements.some((requirement) => semanticEqual(requirement, kept)));
    }),
  );
}

function withNodeAffinityOf(pod: PodSpec, old: PodSpec): PodSpec['affinity'] {
  const affinity = { ...pod.affinity, nodeAffinity: old.affinity?.nodeAffinity };
  return Object.values(affinity).some((part) => part !== undefined) ? affinity : old.affinity;
}

/** The status subresource: the spec stays (the strategy sees to it), containers that ended for good stay ended. */
export function validatePodStatusUpdate(pod: Pod, old: Pod): FieldError[] {
  const path = FieldPath.of('status');
  const errors: FieldError[] = [];
  const nominated = pod.status?.nominatedNodeName;
  if (nominated)
    for (const message of isDns1123Subdomain(nominated))
      errors.push(invalidValue(path.child('nominatedNodeName'), nominated, message));
  const names = new Set((old.spec.ephemeralContainers ?? []).map(({ name }) => name));
  for (const [index, { name }] of (pod.status?.ephemeralContainerStatuses ?? []).entries())
    if (!names.has(name))
      errors.push(fieldNotFound(path.child('ephemeralContainerStatuses').index(index).child('name'), name));
  if (old.spec.restartPolicy !== 'Never') return errors;
  for (const list of ['containerStatuses'] as const) {
    for (const [index, before] of (old.status?.[list] ?? []).entries()) {
      const now = pod.status?.[list]?.find(({ name }) => name === before.name);
      if (before.state?.terminated && now && !now.state?.terminated)
        errors.push(
          forbiddenField(
            path.child(list).index(index).child('state'),
            'may not be transitioned to non-terminated state',
          ),
        );
    }
  }
  return errors;
}
