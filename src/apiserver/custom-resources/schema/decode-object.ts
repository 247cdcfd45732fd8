import type { ObjectDecoding } from '../../../api/kind.ts';
import { schemaOf } from '../../../api/schema.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import { type Dictionary, isDictionary, isScalar } from '../../../apimachinery/schema-walk.ts';
import { canonicalize, checkTypes, dropUnknownFields, findUnknownFields } from '../../../apimachinery/typecheck.ts';

/** Decoding by a structural schema: pruning, nulls, and metadata (of embedded resources too) in its own form. */
export function structuralDecoding(schema: Schema): ObjectDecoding {
  const metadataSchema = schemaOf('meta.v1.ObjectMeta');
  return (object: Draft<UnstructuredObject>) => {
    checkMetadata(object.metadata, metadataSchema);
    visitEmbedded(object, schema, (embedded) => {
      if (isDictionary(embedded.metadata)) checkMetadata(embedded.metadata, metadataSchema);
    });
    const unknown = findUnknownFields(object, schema);
    if (unknown.length) dropUnknownFields(object, schema);
    pruneNulls(object, schema);
    return unknown;
  };
}

function checkMetadata(metadata: unknown, schema: Schema): void {
  if (!isDictionary(metadata))
    throw new Error(
      `json: cannot unmarshal ${Array.isArray(metadata) ? 'array' : typeof metadata} into Go struct field ObjectMeta.metadata of type v1.ObjectMeta`,
    );
  const [mismatch] = checkTypes(metadata, schema);
  if (mismatch) throw new Error(mismatch.message);
  canonicalize(metadata, schema);
}

/** Removes nulls of fields that are not nullable and have no default, which would take their place. */
export function pruneNulls(value: unknown, schema: Schema): void {
  if (typeof value !== 'object' || value === null || isScalar(schema)) return;
  const items = schema.items?.();
  if (Array.isArray(value)) {
    if (items && !isScalar(items)) for (const item of value) pruneNulls(item, items);
    return;
  }
  const object = value as Dictionary;
  const fields = schema.fields?.();
  for (const key of Object.keys(object)) {
    const field = fields?.get(key);
    const child = field?.schema ?? items;
    if (!child) continue;
    if (object[key] !== null) pruneNulls(object[key], child);
    else if (field && !child.nullable && child.type !== 'any' && field.default === undefined) delete object[key];
  }
}

/** Whether decoding and defaulting would leave the object as it is. */
export function conforms(value: unknown, schema: Schema): boolean {
  if (typeof value !== 'object' || value === null || isScalar(schema)) return true;
  const items = schema.items?.();
  if (Array.isArray(value)) return !items || isScalar(items) || value.every((item) => conforms(item, items));
  const object = value as Dictionary;
  const fields = schema.fields?.();
  for (const key in object) {
    const child = fields?.get(key)?.schema ?? items;
    if (!child) {
      if (fields && !schema.preserveUnknownFields) return false;
    } else if (object[key] === null) {
      if (fields?.has(key) && !child.nullable && child.type !== 'any') return false;
    } else if (!conforms(object[key], child)) return false;
  }
  if (fields)
    for (const [key, field] of fields) if (field.default !== undefined && !Object.hasOwn(object, key)) return false;
  return true;
}

/** Calls back for every embedded resource below `value`, whatever its depth. */
export function visitEmbedded(
  value: unknown,
  schema: Schema,
  visit: (embedded: Dictionary, path: string) => void,
  path = '',
): void {
  if (typeof value !== 'object' || value === null || !hasEmbedded(schema)) return;
  const items = schema.items?.();
  if (Array.isArray(value)) {
    if (items) for (const [index, item] of value.entries()) visitEmbedded(item, items, visit, `${path}[${index}]`);
    return;
  }
  const object = value as Dictionary;
  if (schema.embeddedResource) visit(object, path);
  const fields = schema.fields?.();
  for (const key of Object.keys(object)) {
    const child = fields?.get(key)?.schema ?? items;
    if (child) visitEmbedded(object[key], child, visit, path === '' ? key : `${path}.${key}`);
  }
}

/** A pure cache of immutable data: by schema object, whether an embedded resource can be in it. */
const embeddedBelow = new WeakMap<Schema, boolean>();

function hasEmbedded(schema: Schema): boolean {
  if (isScalar(schema)) return false;
  let found = embeddedBelow.get(schema);
  if (found === undefined) {
    found = schema.embeddedResource === true || childrenOf(schema).some(hasEmbedded);
    embeddedBelow.set(schema, found);
  }
  return found;
}

function childrenOf(schema: Schema): Schema[] {
  const items = schema.items?.();
  // Built-in types, which metadata is of, hold no embedded resources.
  const fields = schema.name ? [] : [...(schema.fields?.().values() ?? [])].map((field) => field.schema);
  return items && !schema.name ? [...fields, items] : fields;
}
