import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { absent, semanticEqual } from '../field-checks.ts';
import type { Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../types/core.v1.gen.ts';
import { internalDiff } from './internal-diff.ts';
import { internalForm } from './internal-form.ts';
import { validatePodAnnotationsUpdate } from './pod-annotations.ts';
import { validateImageSpace } from './pod-spec/containers.ts';
import { validateTolerations } from './pod-spec/scheduling.ts';

const MAX_INT32 = 2 ** 31 - 1;
const spec = FieldPath.of('spec');
const annotationsPath = FieldPath.of('metadata', 'annotations');
const onlyAdditions = 'only additions are allowed (no mutations or deletions)';

/** What an update of a pod may change: images, the deadline (shorter), tolerations (more), gates (fewer), and grace -1 to 1. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const errors = validatePodAnnotationsUpdate(pod.metadata.annotations, old.metadata.annotations, annotationsPath);
  for (const list of ['containers', 'initContainers'] as const) {
    const containers = pod.spec[list] ?? [];
    const path = spec.child(list);
    if (containers.length !== (old.spec[list] ?? []).length)
      return [...errors, forbiddenField(path, 'pod updates may not add or remove containers')];
    containers.forEach((container, index) => {
      const at = path.index(index);
      errors.push(...(container.image ? validateImageSpace(container, at) : [required(at.child('image'))]));
    });
  }
  const deadline = validateDeadlineUpdate(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds);
  errors.push(...deadline);
  if (deadline.length > 0 && pod.spec.activeDeadlineSeconds !== undefined) return errors;
  errors.push(
    ...validateTolerationUpdate(pod.spec.tolerations ?? [], old.spec.tolerations ?? []),
    ...validateGateUpdate(pod.spec, old.spec),
  );
  if (semanticEqual(pod.spec, old.spec)) return errors;

  const negativeGrace =
    (old.spec.terminationGracePeriodSeconds ?? 0) < 0 && pod.spec.terminationGracePeriodSeconds === 1;
  let rest: PodSpec = {
    ...pod.spec,
    containers: withImagesOf(pod.spec.containers, old.spec.containers) ?? [],
    initContainers: withImagesOf(pod.spec.initContainers, old.spec.initContainers),
    activeDeadlineSeconds: old.spec.activeDeadlineSeconds,
    schedulingGates: old.spec.schedulingGates,
    tolerations: old.spec.tolerations,
    ...(negativeGrace ? { terminationGracePeriodSeconds: old.spec.terminationGracePeriodSeconds } : {}),
  };
  if (old.spec.schedulingGates?.length) {
    errors.push(...validateGatedUpdate(pod.spec, old.spec));
    rest = { ...rest, nodeSelector: old.spec.nodeSelector, affinity: withNodeAffinityOf(rest, old.spec) };
  }
  if (!semanticEqual(rest, old.spec))
    errors.push(
      forbiddenField(
        spec,
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
          '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
          '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)' +
          `\n${internalDiff('PodSpec', asInternal(old.spec), asInternal(rest))}`,
      ),
    );
  return errors;
}

/** Internally, what a pod shares with its host is part of its security context. */
function asInternal({ hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers, ...rest }: PodSpec): object {
  const shared = { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers };
  return { ...rest, securityContext: { ...rest.securityContext, ...shared } };
}

function withImagesOf(
  containers: readonly Container[] | undefined,
  old: readonly Container[] | undefined,
): readonly Container[] | undefined {
  return containers?.map((container, index) => ({ ...container, image: old?.[index]?.image ?? '' }));
}

function validateDeadlineUpdate(seconds: number | undefined, old: number | undefined): FieldError[] {
  const path = spec.child('activeDeadlineSeconds');
  if (seconds === undefined)
    return old === undefined
      ? []
      : [invalidValue(path, absent, 'must not update from a positive integer to nil value')];
  if (seconds < 0 || seconds > MAX_INT32)
    return [invalidValue(path, seconds, `must be between 0 and ${MAX_INT32}, inclusive`)];
  return old !== undefined && old < seconds
    ? [invalidValue(path, seconds, 'must be less than or equal to previous value')]
    : [];
}

function validateTolerationUpdate(tolerations: readonly Toleration[], old: readonly Toleration[]): FieldError[] {
  const path = spec.child('tolerations');
  const comparing = old.some(({ operator }) => operator === 'Lt' || operator === 'Gt');
  const withoutSeconds = ({ tolerationSeconds: _, ...rest }: Toleration) => rest;
  const kept = old.every((before) =>
    tolerations.some((toleration) => semanticEqual(withoutSeconds(toleration), withoutSeconds(before))),
  );
  return kept
    ? validateTolerations(tolerations, path, comparing)
    : [forbiddenField(path, 'existing toleration can not be modified except its tolerationSeconds')];
}

function validateGateUpdate(pod: PodSpec, old: PodSpec): FieldError[] {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  return (pod.schedulingGates ?? []).flatMap(({ name }, index) =>
    before.has(name)
      ? []
      : [
          forbiddenField(
            spec.child('schedulingGates').index(index).child('name'),
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  );
}

/** A pod behind a scheduling gate may be made choosier about its node, never less so. */
function validateGatedUpdate(pod: PodSpec, old: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const selector = pod.nodeSelector ?? {};
  if (Object.entries(old.nodeSelector ?? {}).some(([key, value]) => selector[key] !== value))
    errors.push(
      invalidValue(
        spec.child('nodeSelector'),
        pod.nodeSelector,
        'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
      ),
    );
  const before = termsOf(old.affinity?.nodeAffinity);
  if (before.length === 0) return errors;
  const now = termsOf(pod.affinity?.nodeAffinity);
  const path = spec.child('affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution');
  const terms = path.child('nodeSelectorTerms');
  const form = (value: unknown) => internalForm('NodeSelectorTerm', value);
  if (now.length !== before.length)
    return [
      ...errors,
      invalidValue(
        terms,
        now.length > 0 ? form(now) : null,
        'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
      ),
    ];
  now.forEach((term, index) => {
    if (!hasOnlyAdditions(term, before[index] ?? {}))
      errors.push(invalidValue(terms.index(index), form(term), onlyAdditions));
  });
  return errors;
}

const termsOf = (affinity: NodeAffinity | undefined): readonly NodeSelectorTerm[] =>
  affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];

/** A term without requirements matches nothing: one more would make it match. */
function hasOnlyAdditions(term: NodeSelectorTerm, before: NodeSelectorTerm): boolean {
  const size = ({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm) =>
    matchExpressions.length + matchFields.length;
  if (size(before) === 0) return size(term) === 0;
  return (['matchExpressions', 'matchFields'] as const).every((field) => {
    const kept = before[field] ?? [];
    return semanticEqual((term[field] ?? []).slice(0, kept.length), kept);
  });
}

function withNodeAffinityOf(pod: PodSpec, old: PodSpec): PodSpec['affinity'] {
  const affinity = { ...pod.affinity, nodeAffinity: old.affinity?.nodeAffinity };
  return Object.values(affinity).some((part) => part !== undefined) ? affinity : old.affinity;
}
