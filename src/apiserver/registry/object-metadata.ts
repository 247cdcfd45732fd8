import { randomBytes, randomUUID } from 'node:crypto';
import type { KindDefinition } from '../../api/kind.ts';
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
  tooLong,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import type { ObjectMeta, UnstructuredObject } from '../../apimachinery/meta.ts';
import { isDns1123Label, isQualifiedName, validateName } from '../../apimachinery/names.ts';
import { badRequest } from '../../apimachinery/status-error.ts';

const metadata = FieldPath.of('metadata');
const MAX_ANNOTATIONS_BYTES = 256 * 1024;
const MAX_GENERATED_BASE = 63 - 5;
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** The namespace of the path goes into the object; throws 400 when the object says another. */
export function placeInNamespace(
  object: Draft<UnstructuredObject>,
  definition: KindDefinition,
  namespace: string,
): void {
  const given = object.metadata.namespace ?? '';
  if (!definition.namespaced) {
    if (given !== '' && definition.resource !== 'namespaces') throw badRequest('namespace is not allowed on this type');
    delete object.metadata.namespace;
    return;
  }
  if (given !== '' && given !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  object.metadata.namespace = namespace;
}

/** What the server alone decides at creation. */
export function setSystemFields(object: Draft<UnstructuredObject>, now: string): void {
  const meta = object.metadata;
  meta.creationTimestamp = now;
  meta.uid = randomUUID();
  delete meta.selfLink;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.generation;
}

/** `base` with five random letters and digits, short enough for a label. */
export function generatedName(base: string): string {
  let suffix = '';
  while (suffix.length < 5) {
    // 243 = 9 * 27: bytes at and above it would favour the first letters.
    for (const byte of randomBytes(8)) if (byte < 243 && suffix.length < 5) suffix += SUFFIX_LETTERS[byte % 27];
  }
  return base.slice(0, MAX_GENERATED_BASE) + suffix;
}

export function validateMetadata(object: UnstructuredObject, definition: KindDefinition): FieldError[] {
  const meta = object.metadata;
  const errors: FieldError[] = [];
  if (meta.generateName)
    for (const message of validateName(definition.nameFormat, meta.generateName, true))
      errors.push(invalidValue(metadata.child('generateName'), meta.generateName, message));
  if (!meta.name) errors.push(required(metadata.child('name'), 'name or generateName is required'));
  else
    for (const message of validateName(definition.nameFormat, meta.name, false))
      errors.push(invalidValue(metadata.child('name'), meta.name, message));
  if (definition.namespaced) {
    if (!meta.namespace) errors.push(required(metadata.child('namespace')));
    else
      for (const message of isDns1123Label(meta.namespace))
        errors.push(invalidValue(metadata.child('namespace'), meta.namespace, message));
  }
  if (meta.labels) errors.push(...validateLabels(meta.labels, metadata.child('labels')));
  if (meta.annotations) errors.push(...annotationErrors(meta.annotations));
  if (meta.ownerReferences) errors.push(...ownerErrors(meta.ownerReferences));
  if (meta.finalizers) errors.push(...finalizerErrors(meta.finalizers));
  if (meta.managedFields) errors.push(...managedFieldsErrors(meta.managedFields));
  return errors;
}

export function validateMetadataUpdate(object: UnstructuredObject, old: UnstructuredObject): FieldError[] {
  const errors: FieldError[] = [];
  const immutable = (field: keyof ObjectMeta) => {
    const value = object.metadata[field];
    if ((value ?? '') !== (old.metadata[field] ?? ''))
      errors.push(invalidValue(metadata.child(field), value, 'field is immutable'));
  };
  immutable('name');
  immutable('namespace');
  immutable('uid');
  immutable('creationTimestamp');
  immutable('deletionTimestamp');
  immutable('deletionGracePeriodSeconds');
  const added = (object.metadata.finalizers ?? []).filter((name) => !old.metadata.finalizers?.includes(name));
  if (old.metadata.deletionTimestamp && added.length)
    errors.push(
      forbiddenField(
        metadata.child('finalizers'),
        `no new finalizers can be added if the object is being deleted, found new finalizers ${goStrings(added)}`,
      ),
    );
  return errors;
}

/** What a client may leave out of an update, and what it has no say in. */
export function carryOverMetadata(object: Draft<UnstructuredObject>, old: UnstructuredObject): void {
  const meta = object.metadata;
  meta.uid ||= old.metadata.uid as string;
  meta.creationTimestamp ||= old.metadata.creationTimestamp as string;
  if (old.metadata.deletionTimestamp) meta.deletionTimestamp ??= old.metadata.deletionTimestamp;
  if (old.metadata.deletionGracePeriodSeconds !== undefined)
    meta.deletionGracePeriodSeconds ??= old.metadata.deletionGracePeriodSeconds;
  if (old.metadata.generation === undefined) delete meta.generation;
  else meta.generation = old.metadata.generation;
  delete meta.selfLink;
}

function annotationErrors(annotations: Readonly<Record<string, string>>): FieldError[] {
  const path = metadata.child('annotations');
  const errors: FieldError[] = [];
  let size = 0;
  for (const key in annotations) {
    size += Buffer.byteLength(key) + Buffer.byteLength(annotations[key] ?? '');
    for (const message of isQualifiedName(key.toLowerCase())) errors.push(invalidValue(path, key, message));
  }
  // Upstream's own wording for this one names the limit in bytes.
  if (size > MAX_ANNOTATIONS_BYTES) errors.push(tooLongAnnotations(path));
  return errors;
}

function tooLongAnnotations(path: FieldPath): FieldError {
  return {
    type: 'FieldValueTooLong',
    field: path.toString(),
    body: `Too long: may not be more than ${MAX_ANNOTATIONS_BYTES} bytes`,
    toString: () => `${path}: Too long: may not be more than ${MAX_ANNOTATIONS_BYTES} bytes`,
  };
}

function ownerErrors(owners: NonNullable<ObjectMeta['ownerReferences']>): FieldError[] {
  const path = metadata.child('ownerReferences');
  const errors: FieldError[] = [];
  let controller: string | undefined;
  owners.forEach((owner, index) => {
    const at = path.index(index);
    if (!owner.apiVersion)
      errors.push(invalidValue(at.child('apiVersion'), owner.apiVersion ?? '', 'version must not be empty'));
    if (!owner.kind) errors.push(invalidValue(at.child('kind'), owner.kind ?? '', 'must not be empty'));
    if (!owner.name) errors.push(invalidValue(at.child('name'), owner.name ?? '', 'must not be empty'));
    if (!owner.uid) errors.push(invalidValue(at.child('uid'), owner.uid ?? '', 'must not be empty'));
    if (owner.apiVersion === 'v1' && owner.kind === 'Event')
      errors.push(invalidValue(path, owner.kind, '/v1, Kind=Event is disallowed from being an owner'));
    if (!owner.controller) return;
    if (controller !== undefined)
      errors.push(
        invalidValue(
          path,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
        ),
      );
    controller = owner.name;
  });
  return errors;
}

function finalizerErrors(finalizers: readonly string[]): FieldError[] {
  const path = metadata.child('finalizers');
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const finalizer of finalizers) {
    for (const message of isQualifiedName(finalizer)) errors.push(invalidValue(path, finalizer, message));
    if (seen.has(finalizer)) errors.push(duplicate(path, finalizer));
    seen.add(finalizer);
  }
  if (seen.has('orphan') && seen.has('foregroundDeletion'))
    errors.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  return errors;
}

function managedFieldsErrors(entries: NonNullable<ObjectMeta['managedFields']>): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, { manager = '', operation = '', subresource = '' }] of entries.entries()) {
    const path = () => metadata.child('managedFields').index(index);
    if (operation !== 'Apply' && operation !== 'Update')
      errors.push(invalidValue(path().child('operation'), operation, 'must be `Apply` or `Update`'));
    if (manager.length > 128) errors.push(tooLong(path().child('manager'), 128));
    if (subresource.length > 256) errors.push(tooLong(path().child('subresource'), 256));
  }
  return errors;
}

/** Strings as Go's `%#v` of a list prints them. */
function goStrings(values: readonly string[]): string {
  return `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`;
}
