import { CompactedError, prefixEnd, type StoreEvent, type Watch, type WatchRequest } from './store.ts';

/** Where a watch that starts in the past reads what it missed. */
export interface WatchHistory {
  readonly compactRevision: number;
  /**
   * Events of `[start, end)` with `after < revision <= upTo`, in order, handed over in batches (empty ones too) that
   * never split a revision; stops early when `deliver` returns false. Throws CompactedError.
   */
  read(after: number, upTo: number, range: KeyRange, deliver: DeliverEvents): Promise<void>;
}

export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

export type DeliverEvents = (events: readonly StoreEvent[], revision: number) => boolean;

/** All live watches of one range: it is matched once for all of them. */
class WatchedRange {
  readonly start: string;
  readonly end: string;
  readonly watches = new Set<HubWatch>();
  /** Events of the batch that is being published. */
  batch: StoreEvent[] = [];

  constructor(start: string, end: string) {
    this.start = start;
    this.end = end;
  }
}

/**
 * Hands committed events to watches. `publish` is called in revision order, once per durable batch; a watch that starts in
 * the past reads history until it has caught up and then joins, without a gap.
 */
export class WatchHub {
  readonly #history: WatchHistory;
  /** Ranges that are a prefix up to a slash: found by the slashes in a key, however many there are. */
  readonly #prefixes = new Map<string, WatchedRange>();
  readonly #others = new Map<string, WatchedRange>();
  readonly #watches = new Set<HubWatch>();
  #revision: number;
  #closed = false;

  constructor(history: WatchHistory, revision: number) {
    this.#history = history;
    this.#revision = revision;
  }

  /** All events up to here were published. */
  get revision(): number {
    return this.#revision;
  }

  watch(request: WatchRequest): Watch {
    const position = request.startRevision === 0 ? this.#revision : request.startRevision;
    const watch = new HubWatch(request, position, () => {
      this.#watches.delete(watch);
      this.#leave(watch);
    });
    if (this.#closed) watch.close();
    else {
      this.#watches.add(watch);
      if (position >= this.#revision) this.#join(watch);
      else this.#catchUp(watch).catch((error) => watch.fail(error));
    }
    return watch;
  }

  publish(events: readonly StoreEvent[], revision: number): void {
    this.#revision = revision;
    for (const event of events) {
      const { key } = event.kv;
      if (this.#prefixes.size > 0) {
        for (let slash = key.indexOf('/'); slash !== -1; slash = key.indexOf('/', slash + 1))
          this.#prefixes.get(key.slice(0, slash + 1))?.batch.push(event);
      }
      for (const range of this.#others.values()) if (key >= range.start && key < range.end) range.batch.push(event);
    }
    for (const range of this.#prefixes.values()) deliver(range, revision);
    for (const range of this.#others.values()) deliver(range, revision);
  }

  close(): void {
    this.#closed = true;
    for (const watch of [...this.#watches]) watch.close();
  }

  async #catchUp(watch: HubWatch): Promise<void> {
    // Nothing is delivered before the caller holds its Watch.
    await undefined;
    while (!watch.closed) {
      const upTo = this.#revision;
      if (watch.position >= upTo) {
        this.#join(watch);
        return;
      }
      if (watch.position < this.#history.compactRevision) throw new CompactedError(this.#history.compactRevision);
      await this.#history.read(watch.position, upTo, watch.request, (events, revision) => {
        if (events.length > 0) watch.deliver(events, revision);
        else watch.progress(revision);
        return !watch.closed;
      });
    }
  }

  #join(watch: HubWatch): void {
    const { start, end } = watch.request;
    const ranges = start.endsWith('/') && end === prefixEnd(start) ? this.#prefixes : this.#others;
    const id = ranges === this.#prefixes ? start : `${start}\0${end}`;
    let range = ranges.get(id);
    if (!range) {
      range = new WatchedRange(start, end);
      ranges.set(id, range);
    }
    range.watches.add(watch);
    watch.range = range;
  }

  #leave(watch: HubWatch): void {
    const { range } = watch;
    if (!range) return;
    range.watches.delete(watch);
    if (range.watches.size > 0) return;
    for (const ranges of [this.#prefixes, this.#others])
      for (const [id, other] of ranges) if (other === range) ranges.delete(id);
  }
}

class HubWatch implements Watch {
  readonly request: WatchRequest;
  readonly done: Promise<void>;
  range: WatchedRange | undefined;
  /** Everything up to here was delivered. */
  position: number;
  closed = false;
  readonly #leave: () => void;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(request: WatchRequest, position: number, leave: () => void) {
    this.request = request;
    this.position = position;
    this.#leave = leave;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever does not await it shall not bring the process down.
    this.done.catch(() => undefined);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#leave();
    this.#resolve();
  }

  fail(error: unknown): void {
    if (this.closed) return;
    this.closed = true;
    this.#leave();
    this.#reject(error);
  }

  deliver(events: readonly StoreEvent[], revision: number): void {
    if (this.closed || revision <= this.position) return;
    this.position = revision;
    try {
      this.request.onEvents(events, revision);
    } catch (error) {
      // A consumer that throws has lost events: its watch is over, and the others go on.
      this.fail(error);
    }
  }

  progress(revision: number): void {
    if (this.closed || revision <= this.position) return;
    this.position = revision;
    try {
      this.request.onProgress?.(revision);
    } catch (error) {
      this.fail(error);
    }
  }
}

function deliver(range: WatchedRange, revision: number): void {
  const { batch } = range;
  if (batch.length === 0) {
    for (const watch of range.watches) watch.progress(revision);
    return;
  }
  range.batch = [];
  for (const watch of range.watches) {
    // Only a watch that began at a revision still to come can have a part of a batch behind it.
    const first = batch[0];
    if (first && first.kv.modRevision > watch.position) watch.deliver(batch, revision);
    else {
      const rest = batch.filter((event) => event.kv.modRevision > watch.position);
      if (rest.length > 0) watch.deliver(rest, revision);
      else watch.progress(revision);
    }
  }
}
