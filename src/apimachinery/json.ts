/** Any JSON value in wire form, deeply readonly. */
export type JSONValue = string | number | boolean | null | JSONObject | readonly JSONValue[];

export interface JSONObject {
  readonly [key: string]: JSONValue | undefined;
}

/** A private, deeply mutable copy of `T`. Objects that came from elsewhere are readonly; whoever changes one copies it. */
export type Draft<T> = T extends (infer U)[] | readonly (infer U)[]
  ? Draft<U>[]
  : T extends object
    ? { -readonly [K in keyof T]: Draft<T[K]> }
    : T;

/** Deep copy of plain JSON data. */
export function draft<T>(value: T): Draft<T> {
  return copy(value) as Draft<T>;
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const field = copy((value as Record<string, unknown>)[key]);
    // A plain assignment to `__proto__` would replace the prototype instead of keeping the key.
    if (key === '__proto__')
      Object.defineProperty(result, key, { value: field, enumerable: true, writable: true, configurable: true });
    else result[key] = field;
  }
  return result;
}
