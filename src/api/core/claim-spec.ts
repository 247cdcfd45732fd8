import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { hasInvalidLabelValue, validateLabelSelector, validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { invalidFor, optionalOneOf, semanticEqual } from '../field-checks.ts';
import type { PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate } from '../types/core.v1.gen.ts';
import { validateAnnotations } from './annotations.ts';
import { parseAmount } from './pod-spec/resources.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

/** The access modes of a volume or a claim: ReadWriteOncePod alone. */
export function validateAccessModes(modes: readonly string[] | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let single = false;
  let shared = false;
  for (const mode of modes ?? []) {
    if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
    else if (mode === 'ReadWriteOncePod') single = true;
    else shared = true;
  }
  if (single && shared) errors.push(forbiddenField(path, 'may not use ReadWriteOncePod with other access modes'));
  return errors;
}

export function validatePositiveAmount(text: string | undefined, path: FieldPath): FieldError[] {
  const amount = parseAmount(text);
  return amount && amount.sign() <= 0 ? [invalidValue(path, amount.toString(), 'must be greater than zero')] : [];
}

/** Spec of a PersistentVolumeClaim; `old`, if there is one, excuses groups of data sources and values of the selector. */
export function validateClaimSpec(
  spec: PersistentVolumeClaimSpec,
  path: FieldPath,
  old?: PersistentVolumeClaimSpec,
): FieldError[] {
  const modes = path.child('accessModes');
  const errors = spec.accessModes?.length ? [] : [required(modes, 'at least 1 access mode is required')];
  if (spec.selector)
    errors.push(...validateLabelSelector(spec.selector, path.child('selector'), hasInvalidLabelValue(old?.selector)));
  errors.push(...validateAccessModes(spec.accessModes, modes));
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) errors.push(required(path.child('resources').key('storage')));
  else errors.push(...validatePositiveAmount(storage, path.child('resources').key('storage')));
  const { storageClassName, volumeAttributesClassName } = spec;
  if (storageClassName)
    errors.push(...invalidFor(path.child('storageClassName'), storageClassName, isDns1123Subdomain(storageClassName)));
  errors.push(...optionalOneOf(path.child('volumeMode'), spec.volumeMode, volumeModes));
  errors.push(...validateDataSources(spec, path, old));
  if (volumeAttributesClassName)
    errors.push(
      ...invalidFor(
        path.child('volumeAttributesClassName'),
        volumeAttributesClassName,
        isDns1123Subdomain(volumeAttributesClassName),
      ),
    );
  return errors;
}

function validateDataSources(
  spec: PersistentVolumeClaimSpec,
  path: FieldPath,
  old: PersistentVolumeClaimSpec | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const { dataSource, dataSourceRef } = spec;
  const namespace = dataSourceRef?.namespace;
  const anyGroup = old?.dataSource?.apiGroup !== undefined || old?.dataSourceRef?.apiGroup !== undefined;
  for (const field of ['dataSource', 'dataSourceRef'] as const) {
    const source = spec[field];
    if (!source) continue;
    const at = path.child(field);
    const { apiGroup, kind, name } = source;
    if (!name) errors.push(required(at.child('name')));
    if (!kind) errors.push(required(at.child('kind')));
    if (!apiGroup && kind !== 'PersistentVolumeClaim')
      errors.push(
        invalidValue(at, kind ?? '', "must be 'PersistentVolumeClaim' when referencing the default apiGroup"),
      );
    if (apiGroup && !anyGroup) errors.push(...invalidFor(at.child('apiGroup'), apiGroup, isDns1123Subdomain(apiGroup)));
  }
  if (namespace)
    errors.push(...invalidFor(path.child('dataSourceRef', 'namespace'), namespace, isDns1123Label(namespace)));
  if (!dataSource || !dataSourceRef) return errors;
  const refuse = (detail: string) => errors.push(invalidValue(path, path.child('dataSource').toString(), detail));
  if (namespace) refuse('may not be specified when dataSourceRef.namespace is specified');
  else if (
    (['apiGroup', 'kind', 'name'] as const).some((field) => !semanticEqual(dataSource[field], dataSourceRef[field]))
  )
    refuse('must match dataSourceRef');
  return errors;
}

/** The template of an ephemeral volume: nothing but labels and annotations beside the spec. */
export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, path: FieldPath): FieldError[] {
  const at = path.child('metadata');
  const errors = [
    ...validateAnnotations(template.metadata?.annotations, at.child('annotations')),
    ...validateLabels(template.metadata?.labels, at.child('labels')),
  ];
  for (const [field, value] of Object.entries(template.metadata ?? {}))
    if (!['labels', 'annotations'].includes(field) && value !== null && value !== '')
      errors.push(forbiddenField(at.child(field), 'cannot be set'));
  return [...errors, ...validateClaimSpec(template.spec ?? {}, path.child('spec'))];
}
