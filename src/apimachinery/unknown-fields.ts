import type { Schema } from './schema.ts';
import { type Dictionary, isScalar, setKey } from './schema-walk.ts';

/** Fields that the schema does not know, as `unknown field "spec.foo"`, sorted by document order. */
export function findUnknownFields(object: unknown, schema: Schema): string[] {
  const found: string[] = [];
  visitUnknown(object, schema, '', (_parent, key, path) => {
    found.push(`unknown field ${JSON.stringify(path === '' ? key : `${path}.${key}`)}`);
  });
  return found;
}

/** Removes what `findUnknownFields` finds. */
export function dropUnknownFields(draft: unknown, schema: Schema): void {
  visitUnknown(draft, schema, '', (parent, key) => delete parent[key]);
}

function visitUnknown(
  value: unknown,
  schema: Schema,
  path: string,
  report: (parent: Dictionary, key: string, path: string) => void,
): void {
  if (typeof value !== 'object' || value === null) return;
  if (schema.type === 'list') {
    const items = schema.items?.();
    if (!items || !Array.isArray(value) || isScalar(items)) return;
    for (let i = 0; i < value.length; i++) visitUnknown(value[i], items, `${path}[${i}]`, report);
    return;
  }
  if ((schema.type !== 'object' && schema.type !== 'map') || Array.isArray(value)) return;
  const fields = schema.fields?.();
  const items = schema.items?.();
  for (const key of Object.keys(value)) {
    const child = fields?.get(key)?.schema ?? items;
    if (child) {
      if (!isScalar(child))
        visitUnknown((value as Dictionary)[key], child, path === '' ? key : `${path}.${key}`, report);
    } else if (fields && !schema.preserveUnknownFields) report(value as Dictionary, key, path);
  }
}

/** Optional lists that Kubernetes' types write out even when they are empty, by definition and field. */
const WRITTEN_WHEN_EMPTY = new Set([
  'io.k8s.api.discovery.v1.EndpointSlice.ports',
  'io.k8s.api.rbac.v1.ClusterRole.rules',
  'io.k8s.api.rbac.v1.Role.rules',
]);

/**
 * Removes what Kubernetes' typed decoding makes nothing of: `null` wherever the schema does not allow it and, unless
 * `keepEmpty`, optional lists and maps that are empty. Items of lists that are null become the empty value of their type.
 */
export function dropAbsent(draft: unknown, schema: Schema, options: { readonly keepEmpty?: boolean } = {}): void {
  dropFrom(draft, schema, options.keepEmpty === true);
}

function dropFrom(draft: unknown, schema: Schema, keepEmpty: boolean): void {
  if (typeof draft !== 'object' || draft === null) return;
  if (Array.isArray(draft)) {
    const items = schema.items?.();
    if (!items) return;
    for (let i = 0; i < draft.length; i++) {
      if (draft[i] !== null) dropFrom(draft[i], items, keepEmpty);
      else if (!items.nullable && items.type !== 'any') draft[i] = emptyValue(items);
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
    if (typeof value === 'object' && value !== null) {
      dropFrom(value, child, keepEmpty);
      if (!keepEmpty && field && !field.required && isEmptyCollection(value, child)) {
        if (!WRITTEN_WHEN_EMPTY.has(`${schema.name}.${key}`)) delete object[key];
      }
    } else if (value === null && !child.nullable && child.type !== 'any') {
      if (fields?.has(key)) delete object[key];
      else setKey(object, key, emptyValue(child));
    }
  }
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
