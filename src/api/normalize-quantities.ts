import { isQuantity, Quantity } from '../apimachinery/quantity.ts';
import type { Schema } from '../apimachinery/schema.ts';

// A pure memo: schemas are stable objects, and each is looked through once.
const quantitiesBelow = new WeakMap<Schema, boolean>();

/**
 * Writes every quantity in canonical form (`0.5` and `1000m` become `500m` and `1`, numbers become text), as Kubernetes'
 * typed decoding does. What is no quantity stays for validation to name. Works in place.
 */
export function normalizeQuantities(value: unknown, schema: Schema): void {
  if (typeof value !== 'object' || value === null || !hasQuantities(schema, new Set())) return;
  const items = schema.items?.();
  if (Array.isArray(value)) {
    if (items) for (let i = 0; i < value.length; i++) value[i] = normalized(value[i], items);
    return;
  }
  const object = value as Record<string, unknown>;
  const fields = schema.fields?.();
  for (const key of Object.keys(object)) {
    const child = fields?.get(key)?.schema ?? items;
    // A key such as `__proto__` is no field of ours and no resource's name.
    if (child && key !== '__proto__') object[key] = normalized(object[key], child);
  }
}

function normalized(value: unknown, schema: Schema): unknown {
  if (schema.type === 'quantity') return isQuantity(value) ? Quantity.parse(value as string).toString() : value;
  normalizeQuantities(value, schema);
  return value;
}

function hasQuantities(schema: Schema, visiting: Set<Schema>): boolean {
  const known = quantitiesBelow.get(schema);
  if (known !== undefined) return known;
  if (schema.type === 'quantity') return true;
  if (schema.type !== 'object' && schema.type !== 'list' && schema.type !== 'map') return false;
  if (visiting.has(schema)) return false;
  visiting.add(schema);
  const items = schema.items?.();
  let found = items !== undefined && hasQuantities(items, visiting);
  for (const field of schema.fields?.().values() ?? []) {
    if (found) break;
    found = hasQuantities(field.schema, visiting);
  }
  visiting.delete(schema);
  // Inside a cycle a `false` is provisional; only the outermost one is final.
  if (found || visiting.size === 0) quantitiesBelow.set(schema, found);
  return found;
}
