/**
 * Encryption at rest: what stands in the store instead of the plain JSON. Plain values begin with `{`; transformed ones
 * must not, and only those are handed to `fromStorage`.
 */
export interface ValueTransformer {
  /** Returns `value` itself for what is stored plain. `key` is the store key, bound to the value as authenticated data. */
  toStorage(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  fromStorage(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
}

export function isPlain(value: Uint8Array): boolean {
  return value[0] === 0x7b;
}
