import { draft as copyOf } from './json.ts';
import type { FieldSchema, Schema } from './schema.ts';
import { type Dictionary, isScalar, setKey } from './schema-walk.ts';

/** Fills in the schema's static defaults, inside existing objects, list items and map values too. */
export function applyDefaults(draft: unknown, schema: Schema): void {
  if (typeof draft !== 'object' || draft === null || !hasDefaults(schema, new Set())) return;
  if (Array.isArray(draft)) {
    const items = schema.items?.();
    if (items) for (const item of draft) applyDefaults(item, items);
    return;
  }
  const object = draft as Dictionary;
  const fields = schema.fields?.();
  if (fields) {
    for (const [key, field] of defaultedFields(schema)) {
      if (field.default !== undefined && needsDefault(object, key, field)) setKey(object, key, copyOf(field.default));
      const child = Object.hasOwn(object, key) ? object[key] : undefined;
      if (typeof child === 'object' && child !== null) applyDefaults(child, field.schema);
    }
  }
  const items = schema.items?.();
  if (!items) return;
  for (const key of Object.keys(object)) if (!fields?.has(key)) applyDefaults(object[key], items);
}

function needsDefault(object: Dictionary, key: string, { schema }: FieldSchema): boolean {
  if (!Object.hasOwn(object, key) || object[key] === undefined) return true;
  return object[key] === null && !schema.nullable;
}

/** A pure cache of immutable data: by schema object, its fields that have a default or have one below them, in order. */
const fieldsWithDefaults = new WeakMap<Schema, readonly (readonly [string, FieldSchema])[]>();

function defaultedFields(schema: Schema): readonly (readonly [string, FieldSchema])[] {
  let found = fieldsWithDefaults.get(schema);
  if (!found) {
    found = [...(schema.fields?.() ?? [])].filter(
      ([, field]) => field.default !== undefined || hasDefaults(field.schema, new Set()),
    );
    fieldsWithDefaults.set(schema, found);
  }
  return found;
}

/** A pure cache of immutable data: by schema object, whether it or anything below it has a default. */
const defaultsBelow = new WeakMap<Schema, boolean>();

function hasDefaults(schema: Schema, visiting: Set<Schema>): boolean {
  const known = defaultsBelow.get(schema);
  if (known !== undefined) return known;
  if (visiting.has(schema)) return false;
  visiting.add(schema);
  let found = false;
  const items = isScalar(schema) ? undefined : schema.items?.();
  if (items && hasDefaults(items, visiting)) found = true;
  if (!found && schema.fields) {
    for (const field of schema.fields().values()) {
      if (field.default !== undefined || hasDefaults(field.schema, visiting)) {
        found = true;
        break;
      }
    }
  }
  // Inside a recursive type a `false` may come from the cut above; only the outermost answer is final.
  if (found || visiting.size === 1) defaultsBelow.set(schema, found);
  visiting.delete(schema);
  return found;
}
