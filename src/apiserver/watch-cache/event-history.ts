import type { CacheEvent } from './cache-event.ts';

/** The last changes of a resource, for watches that resume. */
export class EventHistory {
  readonly #limit: number;
  #events: CacheEvent[] = [];
  #start = 0;
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
    if (this.#events.length - this.#start <= this.#limit) return;
    this.#base = this.#events[this.#start]!.revision;
    this.#start++;
    if (this.#start > this.#limit) {
      this.#events = this.#events.slice(this.#start);
      this.#start = 0;
    }
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
    return this.#events.slice(low);
  }
}
