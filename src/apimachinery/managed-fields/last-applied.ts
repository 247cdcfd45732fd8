import type { UnstructuredObject } from '../meta.ts';
import type { Schema } from '../schema.ts';
import { compare } from './compare.ts';
import { fieldsOf } from './configuration.ts';
import { difference, type FieldSet } from './field-set.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The fields that client-side apply set and that still are as it set them. */
export function lastAppliedFields(live: UnstructuredObject, schema: Schema, apiVersion: string): FieldSet | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (!text) return undefined;
  let applied: UnstructuredObject;
  try {
    applied = JSON.parse(text) as UnstructuredObject;
  } catch {
    return undefined;
  }
  if (typeof applied !== 'object' || applied === null || applied.apiVersion !== apiVersion) return undefined;
  const { added, modified, removed } = compare(applied, live, schema);
  return difference(difference(difference(fieldsOf(applied, schema), modified), added), removed);
}

/** Keeps the annotation of client-side apply current, where there is one, so that going back to it works. */
export function syncLastApplied(
  live: UnstructuredObject,
  object: UnstructuredObject,
  config: UnstructuredObject,
): UnstructuredObject {
  if (!live.metadata.annotations?.[LAST_APPLIED]) return object;
  const { managedFields: _, annotations, ...metadata } = config.metadata;
  const { [LAST_APPLIED]: __, ...others } = annotations ?? {};
  const text = JSON.stringify({
    ...config,
    metadata: { ...metadata, ...(annotations ? { annotations: others } : {}) },
  });
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [LAST_APPLIED]: `${text}\n` } },
  };
}
