import type { Schema } from './schema.ts';
import { type Dictionary, setKey } from './schema-walk.ts';

/** Optional lists that Kubernetes' types write out even when they are empty, by definition and field. */
const WRITTEN_WHEN_EMPTY = new Set([
  'io.k8s.api.discovery.v1.EndpointSlice.ports',
  'io.k8s.api.rbac.v1.ClusterRole.rules',
  'io.k8s.api.rbac.v1.Role.rules',
]);

/**
 * Gives a type-checked value the form that it has after Kubernetes decoded it to its types and encoded it again: times
 * are UTC, in whole seconds (MicroTime: microseconds); `null` is gone wherever the schema does not allow it (as an item
 * of a list it becomes the empty value); optional lists and maps that are empty, and scalars whose zero means nothing, are
 * gone, unless `keepEmpty`.
 */
export function canonicalize(draft: unknown, schema: Schema, options: { readonly keepEmpty?: boolean } = {}): void {
  visit(draft, schema, options.keepEmpty === true);
}

function visit(draft: unknown, schema: Schema, keepEmpty: boolean): void {
  if (typeof draft !== 'object' || draft === null) return;
  if (Array.isArray(draft)) {
    const items = schema.items?.();
    if (!items) return;
    for (let i = 0; i < draft.length; i++) {
      const item: unknown = draft[i];
      if (typeof item === 'object' && item !== null) visit(item, items, keepEmpty);
      else if (typeof item === 'string') draft[i] = canonicalText(item, items);
      else if (item === null && !items.nullable && items.type !== 'any') draft[i] = emptyValue(items);
    }
    return;
  }
  if (schema.type !== 'object' && schema.type !== 'map') return;
  const fields = schema.fields?.();
  const items = schema.items?.();
  const object = draft as Dictionary;
  for (const key of Object.keys(object)) {
    const field = fields?.get(key);
    const child = field?.schema ?? items;
    if (!child) continue;
    const value = object[key];
    if (field?.omitsZero && !keepEmpty && (value === '' || value === 0 || value === false)) {
      delete object[key];
    } else if (typeof value === 'string') {
      if (child.type === 'time' || child.type === 'microTime') setKey(object, key, canonicalText(value, child));
    } else if (typeof value === 'object' && value !== null) {
      visit(value, child, keepEmpty);
      const dropped = !keepEmpty && field && !field.required && isEmptyCollection(value, child);
      if (dropped && !WRITTEN_WHEN_EMPTY.has(`${schema.name}.${key}`)) delete object[key];
    } else if (value === null && !child.nullable && child.type !== 'any') {
      if (field) delete object[key];
      else setKey(object, key, emptyValue(child));
    }
  }
}

const CANONICAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const CANONICAL_MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/** A time in UTC; other strings as they are. */
function canonicalText(text: string, { type }: Schema): string {
  if (type !== 'time' && type !== 'microTime') return text;
  if ((type === 'time' ? CANONICAL_TIME : CANONICAL_MICRO_TIME).test(text)) return text;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return text;
  const seconds = new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19);
  if (type === 'time') return `${seconds}Z`;
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return `${seconds}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
}

function isEmptyCollection(value: object, { type }: Schema): boolean {
  if (type === 'list') return Array.isArray(value) && value.length === 0;
  if (type !== 'map') return false;
  for (const _ in value) return false;
  return true;
}

function emptyValue(schema: Schema): unknown {
  switch (schema.type) {
    case 'object':
    case 'map':
    case 'rawObject':
      return {};
    case 'list':
      return [];
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'integer':
    case 'double':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    case 'any':
      return null;
    default:
      return '';
  }
}
