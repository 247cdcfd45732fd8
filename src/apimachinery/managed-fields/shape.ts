import type { FieldSchema, Schema } from '../schema.ts';
import { type Dictionary, isDictionary } from '../schema-walk.ts';

/** How a value takes part in field ownership: as one value, field by field, or item by item. */
export type Shape = 'leaf' | 'fields' | 'items';

/** `schema` is absent inside values of unknown shape: there, objects are taken field by field and lists as one value. */
export function shapeOf(value: unknown, schema: Schema | undefined): Shape {
  if (typeof value !== 'object' || value === null) return 'leaf';
  if (schema === undefined) return Array.isArray(value) ? 'leaf' : 'fields';
  if (Array.isArray(value))
    return schema.type === 'list' && (schema.listType === 'map' || schema.listType === 'set') ? 'items' : 'leaf';
  if (schema.mapType === 'atomic') return 'leaf';
  if (schema.type === 'object' || schema.type === 'map') return 'fields';
  return schema.preserveUnknownFields ? 'fields' : 'leaf';
}

/** Whether every value of the schema is one value. */
export function isAtomic(schema: Schema): boolean {
  if (schema.type === 'list') return schema.listType !== 'map' && schema.listType !== 'set';
  return schema.mapType === 'atomic';
}

export function childSchema(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.fields?.().get(key)?.schema ?? schema?.items?.();
}

/** The schema of a list's items; `undefined` where the schema says nothing. */
export function itemSchema(schema: Schema | undefined): Schema | undefined {
  return schema?.items?.();
}

const embeddedStructs: ReadonlySet<string> = new Set([
  'metadata',
  'spec',
  'status',
  'template',
  'strategy',
  'updateStrategy',
  'resources',
]);

/**
 * Kubernetes' types hold some structs by value, so that they exist even when nothing is in them: adding something to one
 * does not add (or own) the struct itself.
 */
export function existsAlways(parent: Schema | undefined, key: string, field: FieldSchema | undefined): boolean {
  if (!parent?.name || !field) return false;
  return field.required === true || (field.schema.type === 'object' && embeddedStructs.has(key));
}

/** The path element of an item of a `set` or `map` list; `undefined` for one that has none of the list's keys. */
export function elementOf(item: unknown, list: Schema | undefined): string | undefined {
  if (list?.listType === 'set') return `v:${JSON.stringify(item)}`;
  if (!isDictionary(item)) return undefined;
  const keys = list?.listMapKeys ?? [];
  if (keys.length === 1) {
    const key = keys[0] as string;
    const value = keyValue(item, key, list);
    return value === undefined ? undefined : `k:{${JSON.stringify(key)}:${JSON.stringify(value)}}`;
  }
  let text = '';
  for (const key of keys.length > 1 ? [...keys].sort() : keys) {
    const value = keyValue(item, key, list);
    if (value !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(value)}`;
  }
  return text === '' ? undefined : `k:{${text}}`;
}

function keyValue(item: Dictionary, key: string, list: Schema | undefined): unknown {
  const value = Object.hasOwn(item, key) ? item[key] : undefined;
  if (value !== undefined && value !== null) return value;
  return list?.items?.().fields?.().get(key)?.default;
}

/** Items by path element, in order; items of the same element (which only old objects have) together. */
export function itemsByElement(list: readonly unknown[], schema: Schema | undefined): Map<string, unknown[]> {
  const result = new Map<string, unknown[]>();
  for (const [index, item] of list.entries()) {
    const element = elementOf(item, schema) ?? `i:${index}`;
    const same = result.get(element);
    if (same) same.push(item);
    else result.set(element, [item]);
  }
  return result;
}
