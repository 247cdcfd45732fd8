/** Equality of JSON data; a key whose value is `undefined` counts as absent. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!deepEqual(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  let size = 0;
  for (const key of Object.keys(a)) {
    const value = (a as Record<string, unknown>)[key];
    if (value === undefined) continue;
    size++;
    if (!Object.hasOwn(b, key) || !deepEqual(value, (b as Record<string, unknown>)[key])) return false;
  }
  for (const key of Object.keys(b)) if ((b as Record<string, unknown>)[key] !== undefined) size--;
  return size === 0;
}
