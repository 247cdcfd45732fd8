import type { Entry } from './entry.ts';

const CHUNK = 512;

interface Chunk {
  readonly entries: Entry[];
  /** A chunk of an earlier epoch than the list's belongs to a snapshot too and is copied before it changes. */
  readonly epoch: number;
}

/** Entries in key order at one moment; never changes. */
export interface EntrySnapshot {
  readonly revision: number;
  /** Entries whose key is in `[start, end)`, `limit` at most; empty `end` means no end. */
  range(start: string, end: string, limit?: number): Entry[];
  count(start: string, end: string): number;
}

/** Entries ordered by key, in chunks, with cheap copy-on-write snapshots. */
export class OrderedEntries {
  #chunks: Chunk[] = [];
  #epoch = 0;
  readonly #byKey = new Map<string, Entry>();

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  set(entry: Entry): void {
    const replaces = this.#byKey.has(entry.key);
    this.#byKey.set(entry.key, entry);
    if (this.#chunks.length === 0) {
      this.#chunks.push({ entries: [entry], epoch: this.#epoch });
      return;
    }
    const index = chunkIndex(this.#chunks, entry.key);
    const { entries } = this.#own(index);
    const position = lowerBound(entries, entry.key);
    if (replaces) {
      entries[position] = entry;
      return;
    }
    entries.splice(position, 0, entry);
    if (entries.length > 2 * CHUNK) {
      this.#chunks.splice(index + 1, 0, { entries: entries.splice(CHUNK), epoch: this.#epoch });
    }
  }

  delete(key: string): void {
    if (!this.#byKey.delete(key)) return;
    const index = chunkIndex(this.#chunks, key);
    const { entries } = this.#own(index);
    entries.splice(lowerBound(entries, key), 1);
    if (entries.length === 0) this.#chunks.splice(index, 1);
  }

  /** Entries whose key is in `[start, end)`, `limit` at most; empty `end` means no end. */
  range(start: string, end: string, limit?: number): Entry[] {
    return rangeOf(this.#chunks, start, end, limit);
  }

  count(start: string, end: string): number {
    return countOf(this.#chunks, start, end);
  }

  snapshot(revision: number): EntrySnapshot {
    this.#epoch++;
    const chunks = this.#chunks.slice();
    return {
      revision,
      range: (start, end, limit) => rangeOf(chunks, start, end, limit),
      count: (start, end) => countOf(chunks, start, end),
    };
  }

  #own(index: number): Chunk {
    const chunk = this.#chunks[index]!;
    if (chunk.epoch === this.#epoch) return chunk;
    const copy = { entries: chunk.entries.slice(), epoch: this.#epoch };
    this.#chunks[index] = copy;
    return copy;
  }
}

/** The last chunk that begins at or before `key`, or the first. */
function chunkIndex(chunks: readonly Chunk[], key: string): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (chunks[middle]!.entries[0]!.key <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

function lowerBound(entries: readonly Entry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rangeOf(chunks: readonly Chunk[], start: string, end: string, limit = Number.POSITIVE_INFINITY): Entry[] {
  const result: Entry[] = [];
  eachSlice(chunks, start, end, (entries, from, to) => {
    for (let i = from; i < to && result.length < limit; i++) result.push(entries[i]!);
    return result.length < limit;
  });
  return result;
}

function countOf(chunks: readonly Chunk[], start: string, end: string): number {
  let count = 0;
  eachSlice(chunks, start, end, (_entries, from, to) => {
    count += to - from;
    return true;
  });
  return count;
}

/** Visits the parts of chunks that lie in `[start, end)`, until `visit` returns false. */
function eachSlice(
  chunks: readonly Chunk[],
  start: string,
  end: string,
  visit: (entries: readonly Entry[], from: number, to: number) => boolean,
): void {
  if (chunks.length === 0) return;
  for (let index = chunkIndex(chunks, start); index < chunks.length; index++) {
    const { entries } = chunks[index]!;
    const from = entries[0]!.key < start ? lowerBound(entries, start) : 0;
    const to = end && entries[entries.length - 1]!.key >= end ? lowerBound(entries, end) : entries.length;
    if (!visit(entries, from, to) || to < entries.length) return;
  }
}
