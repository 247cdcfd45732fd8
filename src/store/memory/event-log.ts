import { CompactedError, type KeyValue, type StoreEvent } from '../store.ts';
import type { DeliverEvents, KeyRange, WatchHistory } from '../watch-hub.ts';

const SCAN = 2000;

/** Every event since the last compaction, in revision order. Undoing it gives the state of any revision in it. */
export class EventLog implements WatchHistory {
  #events: StoreEvent[] = [];
  compactRevision = 0;

  append(events: readonly StoreEvent[]): void {
    for (const event of events) this.#events.push(event);
  }

  compact(revision: number): void {
    this.compactRevision = revision;
    this.#events = this.#events.slice(this.#after(revision));
  }

  /** What the keys in the range that changed after `revision` were at it; undefined where they did not exist. */
  undo(revision: number, range: KeyRange): Map<string, KeyValue | undefined> {
    const states = new Map<string, KeyValue | undefined>();
    for (let i = this.#after(revision); i < this.#events.length; i++) {
      const { kv, previous } = this.#events[i] as StoreEvent;
      if (kv.key >= range.start && kv.key < range.end && !states.has(kv.key)) states.set(kv.key, previous);
    }
    return states;
  }

  async read(after: number, upTo: number, range: KeyRange, deliver: DeliverEvents): Promise<void> {
    let position = after;
    while (position < upTo) {
      if (position < this.compactRevision) throw new CompactedError(this.compactRevision);
      const batch: StoreEvent[] = [];
      let scanned = 0;
      let next = upTo;
      for (let i = this.#after(position); i < this.#events.length; i++) {
        const event = this.#events[i] as StoreEvent;
        const revision = event.kv.modRevision;
        if (revision > upTo) break;
        if (++scanned > SCAN && revision > (this.#events[i - 1] as StoreEvent).kv.modRevision) {
          next = revision - 1;
          break;
        }
        if (event.kv.key >= range.start && event.kv.key < range.end) batch.push(event);
      }
      if (!deliver(batch, next)) return;
      position = next;
      if (position < upTo) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Index of the first event with a higher revision. */
  #after(revision: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle] as StoreEvent).kv.modRevision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
