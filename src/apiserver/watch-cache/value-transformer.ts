import { internalError, type StatusError } from '../../apimachinery/status-error.ts';
import type { MetricSource } from '../health/exposition.ts';

/**
 * Encryption at rest: what stands in the store instead of the plain JSON. Plain values begin with `{`; transformed ones
 * must not, and only those are handed to `fromStorage`.
 */
export interface ValueTransformer {
  /** Returns `value` itself for what is stored plain. `key` is the store key, bound to the value as authenticated data. */
  toStorage(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  fromStorage(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  /** Whether values under `key` can be anything but plain; when not, neither is asked below. */
  encrypts(key: string): boolean;
  /** Whether `value` is as `toStorage` would make it now: by the same provider and key. */
  isCurrent(value: Uint8Array, key: string): boolean;
  readonly families?: MetricSource;
}

/** Of a stored value that can't be read. */
export const unreadable = (key: string, cause: unknown): StatusError =>
  internalError(
    `unable to transform key ${JSON.stringify(key)}: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  );

export function isPlain(value: Uint8Array): boolean {
  return value[0] === 0x7b;
}
