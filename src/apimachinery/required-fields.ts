import { type FieldError, FieldPath, required } from './field.ts';
import type { Schema } from './schema.ts';
import { type Dictionary, isScalar } from './schema-walk.ts';

/** Required fields that are absent (or `null`), inside existing objects, list items and map values. */
export function requiredFields(object: unknown, schema: Schema, path: FieldPath = FieldPath.root): FieldError[] {
  const errors: FieldError[] = [];
  visitRequired(object, schema, path, errors);
  return errors;
}

function visitRequired(value: unknown, schema: Schema, path: FieldPath, errors: FieldError[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    const items = schema.items?.();
    if (items && !isScalar(items))
      for (const [index, item] of value.entries()) visitRequired(item, items, path.index(index), errors);
    return;
  }
  const object = value as Dictionary;
  const fields = schema.fields?.();
  if (fields) {
    for (const [key, field] of fields) {
      const child = Object.hasOwn(object, key) ? object[key] : undefined;
      if (child === undefined || (child === null && !field.schema.nullable)) {
        if (field.required) errors.push(required(path.child(key)));
      } else if (typeof child === 'object') visitRequired(child, field.schema, path.child(key), errors);
    }
  }
  const items = schema.items?.();
  if (!items || isScalar(items)) return;
  for (const key of Object.keys(object))
    if (!fields?.has(key)) visitRequired(object[key], items, path.key(key), errors);
}
