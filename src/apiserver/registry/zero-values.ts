import type { Schema } from '../../apimachinery/schema.ts';

/**
 * Kubernetes' types have no absent value for a struct that is no pointer, nor for a required number or boolean: it reads as
 * the zero value, and is written out as such (`podSelector: {}`, `status: {}`, `replicas: 0`). Required strings and lists
 * stay absent, for validation to say so.
 */
export function fillZeroValues(value: unknown, schema: Schema): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    const items = schema.items?.();
    if (items && hasFields(items)) for (const item of value) fillZeroValues(item, items);
    return;
  }
  const object = value as Record<string, unknown>;
  const fields = schema.fields?.();
  if (!fields) {
    const items = schema.items?.();
    if (items && hasFields(items)) for (const key in object) fillZeroValues(object[key], items);
    return;
  }
  if (schema.constraints) return;
  for (const [name, field] of zeroFieldsOf(schema, fields)) if (object[name] === undefined) object[name] = zero(field);
  for (const key in object) {
    const child = object[key];
    if (typeof child !== 'object' || child === null) continue;
    const field = fields.get(key);
    if (field && key !== 'metadata') fillZeroValues(child, field.schema);
  }
}

type Fields = NonNullable<ReturnType<NonNullable<Schema['fields']>>>;

/** Per schema, its fields that have a zero value; schemas are stable, so each is looked at once. */
const zeroFields = new WeakMap<Schema, [string, Schema][]>();

function zeroFieldsOf(schema: Schema, fields: Fields): [string, Schema][] {
  let found = zeroFields.get(schema);
  if (!found) {
    found = [];
    for (const [name, field] of fields)
      if ((field.required || field.written) && field.default === undefined && zero(field.schema) !== undefined)
        found.push([name, field.schema]);
    zeroFields.set(schema, found);
  }
  return found;
}

function hasFields(schema: Schema): boolean {
  return schema.type === 'object' || schema.type === 'list' || schema.type === 'map';
}

function zero(schema: Schema): unknown {
  switch (schema.type) {
    case 'object':
      return schema.fields ? {} : undefined;
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
      return 0;
    default:
      return undefined;
  }
}
