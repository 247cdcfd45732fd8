import type { CacheEvent } from './cache-event.ts';

const MAX_BYTES = 32 * 1024 * 1024;

/** The last changes of a resource, for watches that resume; those of large objects are fewer. */
export class EventHistory {
  readonly #limit: number;
  #events: (CacheEvent | undefined)[] = [];
  #start = 0;
  #bytes = 0;
  /** Every event after this revision is here. */
  #base: number;

  constructor(limit: number, base: number) {
    this.#limit = limit;
    this.#base = base;
  }

  get base(): number {
    return this.#base;
  }

  /** Nothing is known of what was before `revision`. */
  startAt(revision: number): void {
    this.#base = revision;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    this.#bytes += event.entry.size;
    while (this.#events.length - this.#start > this.#limit || this.#bytes > MAX_BYTES) this.#forgetOldest();
    if (this.#start > this.#limit) {
      this.#events = this.#events.slice(this.#start);
      this.#start = 0;
    }
  }

  #forgetOldest(): void {
    const { revision, entry } = this.#events[this.#start]!;
    this.#base = revision;
    this.#bytes -= entry.size;
    this.#events[this.#start++] = undefined;
  }

  /** Events after `revision`, which must not be below `base`. */
  after(revision: number): CacheEvent[] {
    let low = this.#start;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low) as CacheEvent[];
  }
}
