import type { KindDefinition } from '../../api/kind.ts';
import { internalError, type StatusError } from '../../apimachinery/status-error.ts';
import { bookmark, type CacheEvent, Notice } from './cache-event.ts';
import { type Entry, namespaceOfKey } from './entry.ts';
import type { Selection } from './filter.ts';

/** Where a watch's events go: a connection, or an informer in the process. */
export interface WatchSink {
  /** In order. A returned promise holds the next batch back until the receiver has room. */
  deliver(notices: readonly Notice[]): void | Promise<void>;
  /** The last call. Without an error the watch ended in good order and can be resumed. */
  close(error?: StatusError): void;
}

/** How many events a receiver may lag behind before its watch is closed; it resumes from where it was. */
const MAX_LAG = 10_000;
/** Of the state at the start, as many objects are sent at once. */
const INITIAL_BATCH = 50;

/** One watch: selects its events from the resource's, and holds those its sink has no room for yet. */
export class Watcher {
  readonly definition: KindDefinition;
  readonly selection: Selection;
  readonly bookmarks: boolean;
  readonly #sink: WatchSink;
  readonly #schedule: (watcher: Watcher) => void;
  #queue: Notice[] = [];
  #busy = true;
  #closed = false;
  #since = 0;
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

  offer(event: CacheEvent): void {
    if (this.#closed || event.revision <= this.#since) return;
    const { namespace, name } = this.selection;
    if (namespace !== '' && namespaceOfKey(event.entry.key) !== namespace) return;
    if (name !== undefined && event.entry.object.metadata.name !== name) return;
    let type = event.type;
    if (this.selection.filtered) {
      const now = type !== 'DELETED' && this.selection.matches(event.entry);
      const before = event.previous !== undefined && this.selection.matches(event.previous);
      if (!now && !before) return;
      type = now ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED';
    }
    this.#push(event.notice(type, this.definition));
  }

  offerBookmark(revision: number): void {
    if (this.bookmarks && !this.#busy && this.#queue.length === 0)
      this.#push(bookmark(this.definition, revision, false));
  }

  #push(notice: Notice): void {
    if (this.#closed) return;
    this.#queue.push(notice);
    if (this.#queue.length > MAX_LAG) this.close();
    else if (!this.#busy) this.#schedule(this);
  }

  /** Sends the state at the start, then what has come in since; events before the end of it wait in the queue. */
  async begin(initial: readonly Entry[], end: Notice | undefined): Promise<void> {
    for (let at = 0; at < initial.length && !this.#closed; at += INITIAL_BATCH) {
      const batch = initial.slice(at, at + INITIAL_BATCH);
      const sent = this.#sink.deliver(batch.map((entry) => new Notice('ADDED', entry.as(this.definition))));
      await (sent ?? (initial.length > INITIAL_BATCH ? new Promise(setImmediate) : undefined));
    }
    if (end && !this.#closed) await this.#sink.deliver([end]);
    this.#busy = false;
    if (this.#queue.length) this.#schedule(this);
  }

  flush(): void {
    if (this.#closed || this.#busy || this.#queue.length === 0) return;
    const batch = this.#queue;
    this.#queue = [];
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

  close(error?: StatusError): void {
    if (this.#closed) return;
    if (!error && !this.#busy && this.#queue.length && this.#queue.length <= MAX_LAG) this.flush();
    this.#closed = true;
    this.#queue = [];
    this.onClose?.();
    this.#sink.close(error);
  }
}
