import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { validateLabelSelector, validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { semanticEqual } from '../field-checks.ts';
import type { PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate } from '../types/core.v1.gen.ts';
import { parseAmount } from './pod-spec/resources.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

/** The access modes of a volume or a claim: at least one, ReadWriteOncePod alone. */
export function validateAccessModes(modes: readonly string[] | undefined, path: FieldPath): FieldError[] {
  const errors = modes?.length ? [] : [required(path, 'at least 1 access mode is required')];
  for (const mode of modes ?? []) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  if (modes?.includes('ReadWriteOncePod') && modes.some((mode) => mode !== 'ReadWriteOncePod'))
    errors.push(forbiddenField(path, 'may not use ReadWriteOncePod with other access modes'));
  return errors;
}

export function validatePositiveAmount(text: string | undefined, path: FieldPath): FieldError[] {
  const amount = parseAmount(text);
  return amount && amount.sign() <= 0 ? [invalidValue(path, amount.toString(), 'must be greater than zero')] : [];
}

/** Spec of a PersistentVolumeClaim. */
export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: FieldPath): FieldError[] {
  const errors = validateAccessModes(spec.accessModes, path.child('accessModes'));
  if (spec.selector) errors.push(...validateLabelSelector(spec.selector, path.child('selector')));
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) errors.push(required(path.child('resources').key('storage')));
  else errors.push(...validatePositiveAmount(storage, path.child('resources').key('storage')));
  if (spec.storageClassName)
    for (const message of isDns1123Subdomain(spec.storageClassName))
      errors.push(invalidValue(path.child('storageClassName'), spec.storageClassName, message));
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode))
    errors.push(notSupported(path.child('volumeMode'), spec.volumeMode, volumeModes));
  errors.push(...validateDataSources(spec, path));
  if (spec.volumeAttributesClassName)
    for (const message of isDns1123Subdomain(spec.volumeAttributesClassName))
      errors.push(invalidValue(path.child('volumeAttributesClassName'), spec.volumeAttributesClassName, message));
  return errors;
}

function validateDataSources(spec: PersistentVolumeClaimSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['dataSource', 'dataSourceRef'] as const) {
    const source = spec[field];
    if (!source) continue;
    const at = path.child(field);
    if (!source.name) errors.push(required(at.child('name')));
    if (!source.kind) errors.push(required(at.child('kind')));
    if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim') errors.push(invalidValue(at, source.kind, ''));
    else if (source.apiGroup)
      for (const message of isDns1123Subdomain(source.apiGroup))
        errors.push(invalidValue(at.child('apiGroup'), source.apiGroup, message));
  }
  const { dataSource, dataSourceRef } = spec;
  if (dataSource && dataSourceRef && !dataSourceRef.namespace && !semanticEqual(dataSource, dataSourceRef))
    errors.push(invalidValue(path, path.child('dataSource').toString(), 'must match dataSourceRef'));
  if (dataSource && dataSourceRef?.namespace)
    errors.push(
      invalidValue(
        path,
        path.child('dataSource').toString(),
        'may not be specified when dataSourceRef.namespace is specified',
      ),
    );
  return errors;
}

/** The template of an ephemeral volume: nothing but labels and annotations beside the spec. */
export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, path: FieldPath): FieldError[] {
  const errors = validateLabels(template.metadata?.labels, path.child('metadata', 'labels'));
  for (const field of Object.keys(template.metadata ?? {})) {
    if (!['labels', 'annotations', 'creationTimestamp'].includes(field))
      errors.push(
        forbiddenField(path.child('metadata').child(field), 'is not allowed for an ephemeral volume template'),
      );
  }
  if (!template.spec) return [...errors, required(path.child('spec'))];
  return [...errors, ...validateClaimSpec(template.spec, path.child('spec'))];
}
