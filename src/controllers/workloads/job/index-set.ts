/** Completion indexes of an indexed Job, in text as `1,3-5,7`. */
export class IndexSet {
  readonly #indexes: Set<number>;

  constructor(indexes: Iterable<number> = []) {
    this.#indexes = new Set(indexes);
  }

  /** What can't be read, or is not below `limit`, is left out: the status may be anybody's writing. */
  static parse(text: string | undefined, limit: number): IndexSet {
    const set = new IndexSet();
    for (const part of text ? text.split(',') : []) {
      const [first = Number.NaN, last = first] = part.split('-').map(Number);
      for (let index = first; index <= Math.min(last, limit - 1); index++) set.#indexes.add(index);
    }
    return set;
  }

  get size(): number {
    return this.#indexes.size;
  }

  has(index: number): boolean {
    return this.#indexes.has(index);
  }

  with(indexes: Iterable<number>): IndexSet {
    const set = new IndexSet(this.#indexes);
    for (const index of indexes) set.#indexes.add(index);
    return set;
  }

  countIn(other: IndexSet): number {
    let count = 0;
    for (const index of this.#indexes) if (other.has(index)) count++;
    return count;
  }

  toString(): string {
    const sorted = [...this.#indexes].sort((a, b) => a - b);
    const parts: string[] = [];
    for (let i = 0; i < sorted.length; ) {
      let end = i;
      while (sorted[end + 1] === sorted[end]! + 1) end++;
      // Two neighbours are listed, three and more make a range.
      parts.push(
        end === i ? `${sorted[i]}` : end === i + 1 ? `${sorted[i]},${sorted[end]}` : `${sorted[i]}-${sorted[end]}`,
      );
      i = end + 1;
    }
    return parts.join(',');
  }
}
