import type { JSONValue } from './json.ts';

export interface DecodeOptions {
  /** Look for keys that occur twice in an object (the last one counts). */
  readonly duplicates?: boolean;
}

export interface Decoded {
  readonly value: JSONValue;
  /** Messages, e.g. `duplicate field "spec.replicas"`. */
  readonly duplicateFields: readonly string[];
}

/** Deeper objects are refused, so that whoever walks one by recursion is safe. */
export const MAX_DEPTH = 1000;
