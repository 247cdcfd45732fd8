import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { hasInvalidLabelValue, labelSelectorMatcher, validateLabelSelector } from '../../apimachinery/labels.ts';
import type { KubeObject, LabelSelector } from '../../apimachinery/meta.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { internalForm } from '../core/internal-form.ts';
import { defaultPodTemplateSpec, validatePodTemplateSpec } from '../core/pod-spec/index.ts';
import { podTemplateWarnings } from '../core/pod-warnings.ts';
import type { PodSpec, PodTemplateSpec } from '../types/core.v1.gen.ts';

/** What is particular about a workload in the messages about its selector and template. */
export interface WorkloadWords {
  /** In lower case, for the empty selector. */
  readonly kind: string;
  /** Said of the selector as a whole once its parts have been refused. */
  readonly invalidSelector: string;
}

/** The selector that a workload must have, and the template with it: a selector that is no good leaves nothing to check the template by. */
export function validateSelectorAndTemplate(
  spec: FieldPath,
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
  words: WorkloadWords,
  validateTemplate: (template: PodTemplateSpec, path: FieldPath) => FieldError[],
  oldSelector: LabelSelector | undefined,
): FieldError[] {
  const at = spec.child('selector');
  const problems = validateLabelSelector(selector, at, hasInvalidLabelValue(oldSelector));
  const errors = selector ? [...problems] : [required(at)];
  if (selector && selectsByNothing(selector))
    errors.push(invalidValue(at, selector, `empty selector is invalid for ${words.kind}`));
  if (problems.length > 0) return [...errors, invalidValue(at, selector, words.invalidSelector)];
  const path = spec.child('template');
  return [
    ...errors,
    ...validateSelectorMatchesTemplate(path, template ?? {}, selector),
    ...validateTemplate(template ?? {}, path),
  ];
}

export const selectsByNothing = (selector: LabelSelector) =>
  Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;

/** The template's labels must be what the selector selects, an absent one selecting none. `path` is the template's. */
export function validateSelectorMatchesTemplate(
  path: FieldPath,
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
): FieldError[] {
  if (validateLabelSelector(selector, path).length > 0) return [];
  const labels = template.metadata?.labels;
  if (selector && labelSelectorMatcher(selector).matches(labels)) return [];
  return [invalidValue(path.child('metadata', 'labels'), labels, '`selector` does not match template `labels`')];
}

/** Pods that a controller keeps running for ever: restarted always, without a deadline. `old`: the template before. */
export function validateLongRunningTemplate(
  path: FieldPath,
  template: PodTemplateSpec,
  kind: string,
  old: PodTemplateSpec | undefined,
): FieldError[] {
  return [...validatePodTemplateSpec(template, path, old), ...validateRunsForEver(path, template, kind)];
}

export function validateRunsForEver(path: FieldPath, template: PodTemplateSpec, kind: string): FieldError[] {
  const errors: FieldError[] = [];
  const spec = path.child('spec');
  const { restartPolicy = '', activeDeadlineSeconds } = template.spec ?? ({} as Partial<PodSpec>);
  if (restartPolicy !== 'Always') errors.push(notSupported(spec.child('restartPolicy'), restartPolicy, ['Always']));
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      forbiddenField(spec.child('activeDeadlineSeconds'), `activeDeadlineSeconds in ${kind} is not Supported`),
    );
  return errors;
}

/** A template is never absent, nor is what it says of its pod. */
export function defaultWorkloadTemplate(spec: { template?: Draft<PodTemplateSpec> }): void {
  spec.template ??= {} as Draft<PodTemplateSpec>;
  spec.template.spec ??= {} as Draft<PodSpec>;
  defaultPodTemplateSpec(spec.template);
}

/** Of a template at `path`; an update warns only when it changed the spec (whose generation tells). */
export function templateWarnings(
  path: FieldPath,
  template: PodTemplateSpec | undefined,
  object: KubeObject,
  old: KubeObject | undefined,
): string[] {
  if (old && old.metadata.generation === object.metadata.generation) return [];
  return podTemplateWarnings(template, path);
}

/** Names that are part of pods' host names had better be labels; said at creation only. */
export function nameWarnings({ metadata }: KubeObject, old: KubeObject | undefined): string[] {
  const messages = old ? [] : isDns1123Label(metadata.name);
  return messages.length
    ? [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${messages.join(' ')}]`,
      ]
    : [];
}

/** `collisionCount` only grows: names of revisions depend on it. */
export function validateCollisionCount(
  path: FieldPath,
  value: number | undefined,
  old: number | undefined,
): FieldError[] {
  return (value ?? 0) < (old ?? 0) ? [invalidValue(path, value ?? 0, 'cannot be decremented')] : [];
}

/** As errors show them: internally, what a pod shares with its host is part of its security context. */
export function internalPodSpec(pod: PodSpec): unknown {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers, ...rest } = pod;
  const shared = { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers };
  return internalForm('PodSpec', { ...rest, securityContext: { ...rest.securityContext, ...shared } });
}

export const internalTemplate = ({ metadata, spec }: PodTemplateSpec): unknown => ({
  ...metadata,
  Spec: internalPodSpec(spec ?? ({} as PodSpec)),
});
