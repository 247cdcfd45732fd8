import type { Schema } from './schema.ts';

export type Dictionary = Record<string, unknown>;

export function isDictionary(value: unknown): value is Dictionary {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Nothing below it has a schema of its own. */
export function isScalar(schema: Schema): boolean {
  return schema.type !== 'object' && schema.type !== 'map' && schema.type !== 'list';
}

/** Sets an own property whatever its name is: assigning to `__proto__` would not. */
export function setKey(object: Dictionary, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}
