import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
} from '../../apimachinery/field.ts';
import { labelSelectorMatcher, validateLabelSelector } from '../../apimachinery/labels.ts';
import type { LabelSelector } from '../../apimachinery/meta.ts';
import { validatePodTemplateSpec } from '../core/pod-spec/index.ts';
import type { PodSpec, PodTemplateSpec } from '../types/core.v1.gen.ts';

/** A selector that must be there, be valid and select something. `kind` is the lower-case word for messages. */
export function validateWorkloadSelector(path: FieldPath, selector: LabelSelector, kind: string): FieldError[] {
  return [
    ...validateLabelSelector(selector, path),
    ...(selectsNothing(selector) ? [invalidValue(path, selector, `empty selector is invalid for ${kind}`)] : []),
  ];
}

const selectsNothing = (selector: LabelSelector) =>
  Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;

/** The template's labels must be what the selector selects. `path` is the template's. */
export function validateSelectorMatchesTemplate(
  path: FieldPath,
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
): FieldError[] {
  if (!selector || validateLabelSelector(selector, path).length > 0) return [];
  const labels = template.metadata?.labels;
  if (labelSelectorMatcher(selector).matches(labels)) return [];
  return [invalidValue(path.child('metadata', 'labels'), labels, '`selector` does not match template `labels`')];
}

/** Pods that a controller keeps running for ever: restarted always, without a deadline. */
export function validateLongRunningTemplate(path: FieldPath, template: PodTemplateSpec, kind: string): FieldError[] {
  return [...validatePodTemplateSpec(template, path), ...validateRunsForEver(path, template, kind)];
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

/** `collisionCount` only grows: names of revisions depend on it. */
export function validateCollisionCount(
  path: FieldPath,
  value: number | undefined,
  old: number | undefined,
): FieldError[] {
  return (value ?? 0) < (old ?? 0) ? [invalidValue(path, value ?? 0, 'cannot be decremented')] : [];
}
