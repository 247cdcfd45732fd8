const CHUNK = 512;

/** A set of strings in order, as chunks of at most CHUNK: insertion moves one chunk, counting a range adds up chunks. */
export class SortedKeys {
  readonly #chunks: string[][] = [];

  /** `key` must not be in it. */
  add(key: string): void {
    const at = Math.max(this.#chunkOf(key), 0);
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push([key]);
      return;
    }
    const index = lowerBound(chunk, key);
    if (index === chunk.length) chunk.push(key);
    else chunk.splice(index, 0, key);
    if (chunk.length <= CHUNK) return;
    // Keys that arrive in order leave full chunks behind.
    const rest = chunk.splice(index === CHUNK ? CHUNK : CHUNK / 2);
    this.#chunks.splice(at + 1, 0, rest);
  }

  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (!chunk) return;
    const index = lowerBound(chunk, key);
    if (chunk[index] !== key) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** At most `limit` keys of `[start, end)`, and how many there are. */
  range(start: string, end: string, limit = Number.POSITIVE_INFINITY): { keys: string[]; count: number } {
    const keys: string[] = [];
    let count = 0;
    for (let at = Math.max(this.#chunkOf(start), 0); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] as string[];
      if ((chunk[0] as string) >= end) break;
      const from = (chunk[0] as string) >= start ? 0 : lowerBound(chunk, start);
      const to = (chunk[chunk.length - 1] as string) < end ? chunk.length : lowerBound(chunk, end);
      if (to <= from) continue;
      count += to - from;
      for (let i = from; i < to && keys.length < limit; i++) keys.push(chunk[i] as string);
    }
    return { keys, count };
  }

  /** The last chunk that begins at or before `key`; -1 when all begin after it. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.[0] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
