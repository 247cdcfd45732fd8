import type { KindDefinition } from '../../api/kind.ts';
import { internalError, type StatusError } from '../../apimachinery/status-error.ts';
import { Batch, bookmark, Notice } from './cache-event.ts';
import type { Entry } from './entry.ts';
import type { Selection } from './filter.ts';

/** Where a watch's events go: a connection, or an informer in the process. */
export interface WatchSink {
  /** In order. A returned promise holds the next batch back until the receiver has room. */
  deliver(batch: Batch): void | Promise<void>;
  /** The last call. Without an error the watch ended in good order and can be resumed. */
  close(error?: StatusError): void;
}

/** How many events a receiver may lag behind before its watch is closed; it resumes from where it was. */
const MAX_LAG = 10_000;
const MAX_LAG_BYTES = 32 * 1024 * 1024;
/** Of the state at the start, as much is sent at once. */
const INITIAL_BATCH = 50;
const INITIAL_BATCH_BYTES = 256 * 1024;

/** One watch: holds the events that its sink has no room for yet. */
export class Watcher {
  readonly definition: KindDefinition;
  readonly selection: Selection;
  readonly bookmarks: boolean;
  readonly #sink: WatchSink;
  readonly #schedule: (watcher: Watcher) => void;
  #queue: Batch[] = [];
  /** How many notices are in the queue. */
  #lag = 0;
  #lagBytes = 0;
  #busy = true;
  #closed = false;
  #since = 0;
  /** Where its events come from, once it has begun. */
  feed: { distribute(): void } | undefined;
  onClose: (() => void) | undefined;

  constructor(
    definition: KindDefinition,
    selection: Selection,
    bookmarks: boolean,
    sink: WatchSink,
    schedule: (watcher: Watcher) => void,
  ) {
    this.definition = definition;
    this.selection = selection;
    this.bookmarks = bookmarks;
    this.#sink = sink;
    this.#schedule = schedule;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The set of events that can concern it; see `ResourceCache`. */
  get group(): string {
    const { namespace, name, indexed } = this.selection;
    if (name !== undefined && (namespace !== '' || !this.definition.namespaced))
      return `k:${namespace === '' ? name : `${namespace}/${name}`}`;
    if (indexed) return `f:${indexed.field}=${indexed.value}`;
    return namespace === '' ? '' : `n:${namespace}`;
  }

  /** Events up to `revision` are known to the receiver. */
  ignoreUpTo(revision: number): void {
    this.#since = revision;
  }

  offerBookmark(revision: number): void {
    if (!this.bookmarks) return;
    this.feed?.distribute();
    if (!this.#busy && this.#queue.length === 0) this.take(new Batch([bookmark(this.definition, revision, false)]));
  }

  take(batch: Batch): void {
    if (this.#closed) return;
    const news = batch.after(this.#since);
    if (news.notices.length === 0) return;
    this.#queue.push(news);
    this.#lag += news.notices.length;
    this.#lagBytes += news.bytes;
    if (this.#tooLate && this.#queue.length > 1) this.close();
    else if (!this.#busy) this.#schedule(this);
  }

  /** Sends the state at the start, then what has come in since; events before the end of it wait in the queue. */
  async begin(initial: readonly Entry[], end: Notice | undefined): Promise<void> {
    for (let at = 0; at < initial.length && !this.#closed; ) {
      const notices: Notice[] = [];
      for (let bytes = 0; at < initial.length && notices.length < INITIAL_BATCH && bytes < INITIAL_BATCH_BYTES; at++) {
        notices.push(new Notice('ADDED', initial[at]!.as(this.definition)));
        bytes += initial[at]!.size;
      }
      const sent = this.#sink.deliver(new Batch(notices));
      await (sent ?? (initial.length > notices.length ? new Promise(setImmediate) : undefined));
    }
    if (end && !this.#closed) await this.#sink.deliver(new Batch([end]));
    this.#busy = false;
    if (this.#queue.length) this.#schedule(this);
  }

  flush(): void {
    while (!this.#closed && !this.#busy) {
      const batch = this.#queue.shift();
      if (!batch) return;
      this.#lag -= batch.notices.length;
      this.#lagBytes -= batch.bytes;
      this.#deliver(batch);
    }
  }

  #deliver(batch: Batch): void {
    let sent: void | Promise<void>;
    try {
      sent = this.#sink.deliver(batch);
    } catch (error) {
      // One receiver's failure is not another's: its watch ends, and says why.
      this.close(internalError(error instanceof Error ? error.message : String(error)));
      return;
    }
    if (!sent) return;
    this.#busy = true;
    sent.then(
      () => {
        this.#busy = false;
        if (this.#queue.length) this.#schedule(this);
      },
      () => this.close(),
    );
  }

  get #tooLate(): boolean {
    return this.#lag > MAX_LAG || this.#lagBytes > MAX_LAG_BYTES;
  }

  /** The receiver wants to hear no more; it may say so while it is told something. */
  stop(): void {
    this.#end();
  }

  /** Without an error the receiver is told first what there is to tell. */
  close(error?: StatusError): void {
    if (!error) {
      this.feed?.distribute();
      if (!this.#tooLate) this.flush();
    }
    this.#end(error);
  }

  #end(error?: StatusError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.onClose?.();
    this.#sink.close(error);
  }
}
