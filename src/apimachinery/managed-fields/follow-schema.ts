import type { Schema } from '../schema.ts';
import { type FieldSet, leaf } from './field-set.ts';
import { type Managers, withFields } from './managers.ts';
import { childSchema, isAtomic, itemSchema } from './shape.ts';

/**
 * Whoever owned parts of a list, map or struct owns the whole of it once the schema makes it one value. The other way
 * round nothing needs to be done. Schemas of built-in kinds do not change.
 */
export function followSchema(managers: Managers, schema: Schema): void {
  if (schema.name !== undefined) return;
  for (const [id, manager] of managers) managers.set(id, withFields(manager, follow(manager.fields, schema)));
}

function follow(set: FieldSet, schema: Schema): FieldSet {
  let result: Record<string, FieldSet> | undefined;
  for (const key in set) {
    if (key === '.') continue;
    const child = key.startsWith('f:') ? childSchema(schema, key.slice(2)) : itemSchema(schema);
    if (!child) continue;
    const node = set[key] as FieldSet;
    const followed = isAtomic(child) ? leaf : follow(node, child);
    if (followed === node || (followed === leaf && Object.keys(node).length === 0)) continue;
    result ??= { ...set } as Record<string, FieldSet>;
    result[key] = followed;
  }
  return result ?? set;
}
