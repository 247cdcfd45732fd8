import type { Schema } from './schema.ts';
import { type Dictionary, isScalar } from './schema-walk.ts';

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
