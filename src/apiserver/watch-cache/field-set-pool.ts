import type { Draft, JSONObject } from '../../apimachinery/json.ts';
import type { ObjectMeta } from '../../apimachinery/meta.ts';
import { deepFreeze } from './object-encoding.ts';

const GENERATION = 512;
const MAX_TEXT = 16 * 1024;

/**
 * Objects that one manager makes alike own the same fields, and the set of them is the larger part of what an object takes
 * in memory: equal sets become one. Remembers those that were met lately.
 */
export class FieldSetPool {
  #young = new Map<string, JSONObject>();
  #old = new Map<string, JSONObject>();

  /** Gives the managedFields in `metadata`, which is not frozen yet, the sets that others have. */
  shareSets(metadata: Draft<ObjectMeta>): void {
    if (!metadata.managedFields) return;
    metadata.managedFields = metadata.managedFields.map((entry) =>
      entry.fieldsV1 && !Object.isFrozen(entry) ? { ...entry, fieldsV1: this.#shared(entry.fieldsV1) } : entry,
    ) as Draft<ObjectMeta['managedFields']>;
  }

  #shared(set: JSONObject): JSONObject {
    const text = JSON.stringify(set);
    if (text.length > MAX_TEXT) return set;
    let shared = this.#young.get(text);
    if (shared) return shared;
    shared = this.#old.get(text) ?? deepFreeze(set);
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, shared);
    return shared;
  }
}
