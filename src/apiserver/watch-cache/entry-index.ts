import type { Entry } from './entry.ts';

/** Entries by one value each: a field, a label. */
export class EntryIndex {
  readonly #valueOf: (entry: Entry) => string | undefined;
  readonly #buckets = new Map<string, Map<string, Entry>>();

  constructor(read: (entry: Entry) => string | undefined, entries: Iterable<Entry>) {
    this.#valueOf = read;
    for (const entry of entries) this.update(undefined, entry);
  }

  valueOf(entry: Entry): string | undefined {
    return this.#valueOf(entry);
  }

  size(value: string): number {
    return this.#buckets.get(value)?.size ?? 0;
  }

  /** In no order. */
  entries(value: string): Iterable<Entry> {
    return this.#buckets.get(value)?.values() ?? [];
  }

  update(previous: Entry | undefined, entry: Entry | undefined): void {
    const before = previous && this.#valueOf(previous);
    const now = entry && this.#valueOf(entry);
    if (before !== undefined && before !== now) {
      const bucket = this.#buckets.get(before);
      bucket?.delete(previous!.key);
      if (bucket?.size === 0) this.#buckets.delete(before);
    }
    if (now === undefined) return;
    let bucket = this.#buckets.get(now);
    if (!bucket) {
      bucket = new Map();
      this.#buckets.set(now, bucket);
    }
    bucket.set(entry!.key, entry!);
  }
}
