import {
  type FieldError,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { KubeObject } from '../../apimachinery/meta.ts';
import { templateWarnings } from '../apps/pod-template.ts';
import { validatePodTemplateSpec } from '../core/pod-spec/index.ts';
import { validateDomainPrefixedPath } from '../domain-names.ts';
import { nonNegative, optionalOneOf } from '../field-checks.ts';
import type { JobSpec } from '../types/batch.v1.gen.ts';
import { internalSuccessPolicy, validatePodFailurePolicy, validateSuccessPolicy } from './job-policies.ts';

/** What is checked of Jobs and of the Jobs a CronJob would make. */

const manyCompletions = 100_000;
const maxParallelism = 100_000;
const maxFailedIndexes = 100_000;
const limitWithManyCompletions = 10_000;

const withManyCompletions = `must be less than or equal to ${limitWithManyCompletions} when completions are above ${manyCompletions} and used with backoff limit per index`;

/** Defaults that Jobs and the Jobs of a CronJob's template have in common (the pod template aside). */
export function defaultFailurePolicy(spec: Draft<JobSpec>): void {
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
}

/** `old`: what it replaces, on an update. */
export function validateJobSpec(path: FieldPath, spec: JobSpec, old: JobSpec | undefined): FieldError[] {
  const counters = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const;
  const errors = counters.flatMap((counter) => nonNegative(path.child(counter), spec[counter]));
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    errors.push(required(path.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  if (spec.managedBy !== undefined) {
    errors.push(...validateDomainPrefixedPath(path.child('managedBy'), spec.managedBy));
    if (spec.managedBy.length > 63) errors.push(tooLong(path.child('managedBy'), 63));
  }
  errors.push(...validateCompletionMode(path, spec));

  if (spec.podFailurePolicy) errors.push(...validatePodFailurePolicy(path.child('podFailurePolicy'), spec));
  if (spec.successPolicy) {
    const at = path.child('successPolicy');
    if (spec.completionMode === 'Indexed') errors.push(...validateSuccessPolicy(at, spec));
    else errors.push(invalidValue(at, internalSuccessPolicy(spec.successPolicy), 'requires indexed completion mode'));
  }
  errors.push(
    ...optionalOneOf(
      path.child('podReplacementPolicy'),
      spec.podReplacementPolicy,
      spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'],
    ),
  );

  const template = path.child('template');
  return [
    ...errors,
    ...validatePodTemplateSpec(spec.template ?? {}, template, old?.template),
    ...validateRestartPolicy(template, spec),
  ];
}

const manyIndexes =
  'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';

/** Of the job's spec at `path` in `object`; an update warns only when it changed the spec. */
export function jobSpecWarnings(
  path: FieldPath,
  spec: JobSpec | undefined,
  object: KubeObject,
  old: KubeObject | undefined,
): string[] {
  if (!spec || (old && old.metadata.generation === object.metadata.generation)) return [];
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  const hardToTrack =
    completionMode === 'Indexed' && completions > manyCompletions && parallelism > limitWithManyCompletions;
  return [
    ...(hardToTrack ? [`${path}: ${manyIndexes}`] : []),
    ...templateWarnings(path.child('template'), spec.template, object, old),
  ];
}

function validateRestartPolicy(template: FieldPath, spec: JobSpec): FieldError[] {
  const path = template.child('spec', 'restartPolicy');
  const policy = spec.template?.spec?.restartPolicy;
  // The pod defaults make "Always" of an absent policy, so it is as good as absent.
  if (!policy || policy === 'Always') return [required(path, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(path, policy, ['OnFailure', 'Never'])];
  if (spec.podFailurePolicy && policy !== 'Never')
    return [invalidValue(path, policy, 'only "Never" is supported when podFailurePolicy is specified')];
  return [];
}

function validateCompletionMode(path: FieldPath, spec: JobSpec): FieldError[] {
  const { completionMode, completions, parallelism, backoffLimitPerIndex } = spec;
  const errors = optionalOneOf(path.child('completionMode'), completionMode, ['NonIndexed', 'Indexed']);
  const failed = spec.maxFailedIndexes;
  const failedPath = path.child('maxFailedIndexes');
  if (completionMode === undefined || completionMode === 'NonIndexed') {
    const requiresIndexes = 'requires indexed completion mode';
    if (backoffLimitPerIndex !== undefined)
      errors.push(invalidValue(path.child('backoffLimitPerIndex'), backoffLimitPerIndex, requiresIndexes));
    if (failed !== undefined) errors.push(invalidValue(failedPath, failed, requiresIndexes));
  }
  if (completionMode !== 'Indexed') return errors;

  if (completions === undefined) errors.push(required(path.child('completions'), 'when completion mode is Indexed'));
  if (parallelism !== undefined && parallelism > maxParallelism)
    errors.push(
      invalidValue(
        path.child('parallelism'),
        parallelism,
        `must be less than or equal to ${maxParallelism} when completion mode is Indexed`,
      ),
    );
  if (completions !== undefined && failed !== undefined && failed > completions)
    errors.push(invalidValue(failedPath, failed, 'must be less than or equal to completions'));
  if (failed !== undefined && failed > maxFailedIndexes)
    errors.push(invalidValue(failedPath, failed, `must be less than or equal to ${maxFailedIndexes}`));
  if (completions !== undefined && completions > manyCompletions && backoffLimitPerIndex !== undefined) {
    if (failed === undefined)
      errors.push(required(failedPath, `must be specified when completions is above ${manyCompletions}`));
    if (parallelism !== undefined && parallelism > limitWithManyCompletions)
      errors.push(invalidValue(path.child('parallelism'), parallelism, withManyCompletions));
    if (failed !== undefined && failed > limitWithManyCompletions)
      errors.push(invalidValue(failedPath, failed, withManyCompletions));
  }
  return errors;
}
