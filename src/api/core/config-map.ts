import { type FieldError, FieldPath, forbiddenField, invalidValue, tooLong } from '../../apimachinery/field.ts';
import { isConfigMapKey } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { semanticEqual, wholeObject } from '../field-checks.ts';
import type { ConfigMap } from '../types/core.v1.gen.ts';

/** The most that the data of a ConfigMap or a Secret may weigh, in bytes. */
export const MAX_DATA_BYTES = 1024 * 1024;

const count = (map: object | undefined) => Object.keys(map ?? {}).length;

export const configMap = defineKind<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  validate: (configMap, old) => [
    ...validateImmutableData(configMap, old, ['data', 'binaryData']),
    ...validateConfigMap(configMap),
  ],
  columns: [
    nameColumn,
    column('Data', ({ data, binaryData }) => count(data) + count(binaryData), {
      description: 'Number of keys',
    }),
    ageColumn,
  ],
});

function validateConfigMap({ data = {}, binaryData = {} }: ConfigMap): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    for (const message of isConfigMapKey(key)) errors.push(invalidValue(FieldPath.of('data').key(key), key, message));
    if (Object.hasOwn(binaryData, key))
      errors.push(invalidValue(FieldPath.of('data').key(key), key, 'duplicate of key present in binaryData'));
    bytes += Buffer.byteLength(value ?? '');
  }
  for (const [key, value] of Object.entries(binaryData)) {
    for (const message of isConfigMapKey(key))
      errors.push(invalidValue(FieldPath.of('binaryData').key(key), key, message));
    bytes += base64Bytes(value);
  }
  if (bytes > MAX_DATA_BYTES) errors.push(tooLong(wholeObject, MAX_DATA_BYTES));
  return errors;
}

/** Length of what a base64 text stands for. */
export const base64Bytes = (text: string | undefined) => Buffer.byteLength(text ?? '', 'base64');

/** What is marked `immutable` stays so, and its data with it. */
export function validateImmutableData<T extends { readonly immutable?: boolean }>(
  object: T,
  old: T | undefined,
  fields: readonly (keyof T & string)[],
): FieldError[] {
  if (!old?.immutable) return [];
  const detail = 'field is immutable when `immutable` is set';
  const errors = object.immutable ? [] : [forbiddenField(FieldPath.of('immutable'), detail)];
  for (const field of fields)
    if (!semanticEqual(object[field] ?? {}, old[field] ?? {})) errors.push(forbiddenField(FieldPath.of(field), detail));
  return errors;
}
