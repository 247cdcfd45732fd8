import { Buffer } from 'node:buffer';
import type { KindDefinition } from '../../api/kind.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { ObjectMeta, UnstructuredObject } from '../../apimachinery/meta.ts';
import { type StatusError, tooLargeResourceVersion } from '../../apimachinery/status-error.ts';
import { type KeyValue, prefixEnd, type Store, type StoreEvent, type Watch } from '../../store/store.ts';
import type { CacheEvent } from './cache-event.ts';
import { Entry } from './entry.ts';
import type { Feed } from './feed.ts';
import { FieldSetPool } from './field-set-pool.ts';
import { deepFreeze, withRevision } from './object-encoding.ts';
import { ResourceCache } from './resource-cache.ts';
import { UnreadableValues } from './unreadable-values.ts';
import { isPlain, unreadable, type ValueTransformer } from './value-transformer.ts';
import type { Watcher } from './watcher.ts';

export const ROOT = '/registry/';
const LOAD_PAGE = 2000;
/** How long a read waits for a revision that is not here yet. */
const FRESHNESS_TIMEOUT_MS = 3000;
const BOOKMARK_INTERVAL_MS = 60_000;
const FLUSH_SLICE_MS = 6;
/** So many watchers are served between two looks at the clock. */
const FLUSH_CHECK = 8;
/** How much longer than the last round the pause before the next is. */
const PAUSE_PER_ROUND = 4;
/** The longest that an event waits for others to be sent with it. */
const MAX_PAUSE_MS = 20;

/** A write on its way: what the cache takes over when the store reports it, instead of decoding it again. */
export interface PendingWrite {
  readonly key: string;
  /** As it goes into the store. */
  readonly value: Uint8Array;
  /** Stored form before transformation, and the object without its resourceVersion. */
  readonly plain: Buffer;
  readonly object: UnstructuredObject;
  entry?: Entry;
}

interface Waiter {
  readonly revision: number;
  resolve(): void;
}

/**
 * The whole of the datastore's objects in memory, kept by one watch over all keys, so that all resources are always at
 * one revision. Every read is answered from here.
 */
export class WatchCache {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #transformer: ValueTransformer | undefined;
  readonly #resources = new Map<string, ResourceCache>();
  readonly #pending = new Map<string, PendingWrite[]>();
  readonly #unreadable = new UnreadableValues();
  readonly #pool = new FieldSetPool();
  readonly #feeds = new Set<Feed>();
  readonly #dirty = new Set<Watcher>();
  readonly #toRelease: CacheEvent[] = [];
  #waiters: Waiter[] = [];
  #revision = 0;
  #committed = 0;
  #base = 0;
  #flushing = false;
  #lastRoundMs = 0;
  #stopped = false;
  #watch: Watch | undefined;
  #queue: Promise<void> | undefined;
  #bookmarks: NodeJS.Timeout | undefined;

  constructor(options: { store: Store; logger: Logger; transformer?: ValueTransformer }) {
    this.#store = options.store;
    this.#logger = options.logger;
    this.#transformer = options.transformer;
  }

  /** All events up to here are in. */
  get revision(): number {
    return this.#revision;
  }

  async start(): Promise<void> {
    await this.#load();
    this.#follow();
    this.#bookmarks = setInterval(() => this.#sendBookmarks(), BOOKMARK_INTERVAL_MS);
    this.#bookmarks.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#bookmarks);
    this.closeWatches();
    this.#watch?.close();
    await this.#watch?.done.catch(() => undefined);
  }

  closeWatches(): void {
    for (const resource of this.#resources.values()) for (const watcher of resource.watchers()) watcher.close();
  }

  resource(group: string, resource: string): ResourceCache {
    return this.#resource(`${group || 'core'}/${resource}`);
  }

  /** The cache of where objects of `definition` are stored. */
  for(definition: KindDefinition): ResourceCache {
    const { group, resource } = definition.storage ?? definition;
    return this.resource(group, resource);
  }

  resources(): IterableIterator<ResourceCache> {
    return this.#resources.values();
  }

  /** Resolves when everything that was acknowledged to anybody before the call is in. */
  fresh(): Promise<void> | undefined {
    // An embedded store has no writers but this process, which knows its own commits.
    if (this.#store.name === 'etcd') return this.#store.revision().then((revision) => this.waitFor(revision));
    return this.#revision >= this.#committed ? undefined : this.waitFor(this.#committed);
  }

  /** Throws the 504 of a resource version that is too large when it does not come in time. */
  waitFor(revision: number, timeoutMs = FRESHNESS_TIMEOUT_MS): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = {
        revision,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(tooLargeResourceVersion(revision, this.#revision));
      }, timeoutMs);
      this.#waiters.push(waiter);
    });
  }

  expect(write: PendingWrite): void {
    const writes = this.#pending.get(write.key);
    if (writes) writes.push(write);
    else this.#pending.set(write.key, [write]);
  }

  /** The write was committed at `revision`; returns its entry, the very one the cache holds or will hold. */
  committed(write: PendingWrite, revision: number): Entry {
    this.noteCommit(revision);
    write.entry ??= this.#entryOf(write, revision);
    return write.entry;
  }

  failed(write: PendingWrite): void {
    this.#forget(write);
  }

  noteCommit(revision: number): void {
    if (revision > this.#committed) this.#committed = revision;
  }

  /** An entry for a key-value of the store. Throws StatusError 500 when it is encrypted and can't be read. */
  async decode(kv: KeyValue): Promise<Entry> {
    const plain = isPlain(kv.value) ? kv.value : await this.#untransform(kv);
    return new Entry(splitKey(kv.key).rest, kv.modRevision, plain, undefined, this.#pool);
  }

  /**
   * Undefined when the cache has all of `resource` that the namespace and name select ('' for all). Otherwise what it could
   * not decrypt is tried again, and the promise rejects with StatusError 500 if that fails: nobody is shown a part for the
   * whole.
   */
  readable(resource: ResourceCache, namespace: string, name = ''): Promise<void> | undefined {
    if (this.#unreadable.size === 0) return undefined;
    const keys = this.#unreadable.among(`${resource.prefix}${namespace && `${namespace}/`}`, name);
    return keys.length ? this.#readAgain(resource, keys) : undefined;
  }

  async #readAgain(resource: ResourceCache, keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const revision = this.#unreadable.revision(key);
      const kv = await this.#store.get(key);
      const entry = kv && (await this.decode(kv));
      // An event that came meanwhile knows better.
      if (this.#unreadable.revision(key) !== revision || kv?.modRevision !== revision) continue;
      this.#unreadable.delete(key);
      if (!entry) continue;
      resource.load(entry);
      // The change was told to nobody: watches that resume get it from the store.
      resource.history.startAt(this.#revision);
    }
  }

  /** The state that is known stays, and every reader is told that there is another which can't be read. */
  #markUnreadable({ key, modRevision }: KeyValue, error: unknown): void {
    this.#logger.error({ err: error, key }, 'a stored value could not be decrypted');
    this.#unreadable.set(key, modRevision);
  }

  schedule = (watcher: Watcher): void => {
    this.#dirty.add(watcher);
    this.#startRound();
  };

  #scheduleFeed = (feed: Feed): void => {
    this.#feeds.add(feed);
    this.#startRound();
  };

  #startRound(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // With many watchers a round of deliveries takes its time, and the connections as much again; a pause lets events
    // gather for the next one.
    if (this.#lastRoundMs < 1) setImmediate(this.#flush);
    else setTimeout(this.#flush, Math.min(PAUSE_PER_ROUND * this.#lastRoundMs, MAX_PAUSE_MS));
    this.#lastRoundMs = 0;
  }

  #flush = (): void => {
    const started = performance.now();
    const until = started + FLUSH_SLICE_MS;
    for (const feed of this.#feeds) feed.distribute();
    this.#feeds.clear();
    let turn = 0;
    for (const watcher of this.#dirty) {
      this.#dirty.delete(watcher);
      watcher.flush();
      if (++turn % FLUSH_CHECK === 0 && performance.now() > until) break;
    }
    this.#lastRoundMs += performance.now() - started;
    if (this.#dirty.size) {
      setImmediate(this.#flush);
      return;
    }
    this.#flushing = false;
    for (const event of this.#toRelease) event.release();
    this.#toRelease.length = 0;
  };

  #sendBookmarks(): void {
    for (const resource of this.#resources.values())
      for (const watcher of resource.watchers()) watcher.offerBookmark(this.#revision);
  }

  async #load(): Promise<void> {
    const seen = new Map<string, Set<string>>();
    let start = ROOT;
    let revision: number | undefined;
    this.#unreadable.clear();
    let until = performance.now() + FLUSH_SLICE_MS;
    const changes: { kv: KeyValue; entry: Entry }[] = [];
    for (;;) {
      const page = await this.#store.range({
        start,
        end: prefixEnd(ROOT),
        limit: LOAD_PAGE,
        ...(revision === undefined ? {} : { revision }),
      });
      revision ??= page.revision;
      for (const kv of page.kvs) {
        const { id, rest } = splitKey(kv.key);
        let keys = seen.get(id);
        if (!keys) {
          keys = new Set();
          seen.set(id, keys);
        }
        keys.add(rest);
        if (this.#resource(id).get(rest)?.revision === kv.modRevision) continue;
        if (isPlain(kv.value)) {
          changes.push({ kv, entry: new Entry(rest, kv.modRevision, kv.value, undefined, this.#pool) });
          continue;
        }
        await this.decode(kv).then(
          (entry) => changes.push({ kv, entry }),
          (error: unknown) => this.#markUnreadable(kv, error),
        );
        if (performance.now() < until) continue;
        await new Promise(setImmediate);
        until = performance.now() + FLUSH_SLICE_MS;
      }
      const last = page.kvs[page.kvs.length - 1];
      if (!page.more || !last) break;
      start = `${last.key}\0`;
    }
    this.#takeOver(changes, seen, revision);
    this.#advance(revision);
  }

  /** Makes the cache what the store holds. After a gap in the watch this is as if the missed events had come. */
  #takeOver(changes: { kv: KeyValue; entry: Entry }[], seen: Map<string, Set<string>>, revision: number): void {
    const first = this.#base === 0;
    if (first) {
      this.#base = revision;
      for (const resource of this.#resources.values()) resource.loaded(revision);
    }
    for (const [id, resource] of this.#resources)
      for (const { key } of resource.keys())
        if (!seen.get(id)?.has(key))
          this.#applied(resource.apply(deletion(`${ROOT}${id}/${key}`, revision), key, undefined));
    for (const { kv, entry } of changes.sort((a, b) => a.kv.modRevision - b.kv.modRevision)) {
      const { id, rest } = splitKey(kv.key);
      if (first) this.#resource(id).load(entry);
      else this.#applied(this.#resource(id).apply({ type: 'put', kv }, rest, entry));
    }
  }

  #follow(): void {
    this.#watch = this.#store.watch({
      start: ROOT,
      end: prefixEnd(ROOT),
      startRevision: this.#revision,
      onEvents: (events, revision) => this.#onEvents(events, revision),
      onProgress: (revision) => {
        if (this.#queue) this.#queue = this.#queue.then(() => this.#advance(revision));
        else this.#advance(revision);
      },
    });
    this.#watch.done.catch((error) => this.#recover(error));
  }

  async #recover(error: unknown): Promise<void> {
    for (let delay = 50; !this.#stopped; delay = Math.min(delay * 2, 5000)) {
      this.#logger.warn({ err: error }, 'the watch on the datastore broke off, loading its state again');
      await new Promise((resolve) => setTimeout(resolve, delay));
      try {
        await this.#load();
        if (!this.#stopped) this.#follow();
        return;
      } catch (next) {
        error = next;
      }
    }
  }

  #onEvents(events: readonly StoreEvent[], revision: number): void {
    if (this.#queue || events.some((event) => event.type === 'put' && this.#mustDecode(event.kv))) {
      const queue = (this.#queue ?? Promise.resolve()).then(() => this.#applyTransformed(events, revision));
      this.#queue = queue;
      queue.finally(() => {
        if (this.#queue === queue) this.#queue = undefined;
      });
      return;
    }
    for (const event of events) this.#apply(event, event.kv.value);
    this.#advance(revision);
  }

  #mustDecode(kv: KeyValue): boolean {
    return !isPlain(kv.value) && !this.#pendingOf(kv);
  }

  async #applyTransformed(events: readonly StoreEvent[], revision: number): Promise<void> {
    for (const event of events) {
      try {
        const decode = event.type === 'put' && this.#mustDecode(event.kv);
        this.#apply(event, decode ? await this.#untransform(event.kv) : event.kv.value);
      } catch (error) {
        this.#markUnreadable(event.kv, error);
        const resource = this.#resource(splitKey(event.kv.key).id);
        for (const watcher of resource.watchers()) watcher.close(error as StatusError);
      }
    }
    this.#advance(revision);
  }

  #apply(event: StoreEvent, plain: Uint8Array): void {
    const { kv } = event;
    const { id, rest } = splitKey(kv.key);
    if (!rest) return;
    if (this.#unreadable.size > 0) this.#unreadable.delete(kv.key);
    let entry: Entry | undefined;
    if (event.type === 'put') {
      const write = this.#pendingOf(kv);
      if (write) {
        this.#forget(write);
        write.entry ??= this.#entryOf(write, kv.modRevision);
        entry = write.entry;
      } else entry = new Entry(rest, kv.modRevision, plain, undefined, this.#pool);
    }
    this.#applied(this.#resource(id).apply(event, rest, entry));
  }

  #applied(event: CacheEvent | undefined): void {
    if (!event) return;
    // Watchers that are behind are told in a later round.
    if (event.told) this.#toRelease.push(event);
  }

  #pendingOf(kv: KeyValue): PendingWrite | undefined {
    return this.#pending
      .get(kv.key)
      ?.find(
        (write) =>
          (write.entry === undefined || write.entry.revision === kv.modRevision) &&
          (write.value === kv.value || Buffer.compare(write.value, kv.value) === 0),
      );
  }

  #entryOf(write: PendingWrite, revision: number): Entry {
    const object = withRevision(write.object, revision);
    this.#pool.shareSets(object.metadata as Draft<ObjectMeta>);
    return new Entry(splitKey(write.key).rest, revision, write.plain, deepFreeze(object), this.#pool);
  }

  #forget(write: PendingWrite): void {
    const writes = this.#pending.get(write.key)?.filter((other) => other !== write);
    if (!writes?.length) this.#pending.delete(write.key);
    else this.#pending.set(write.key, writes);
  }

  /** Throws StatusError. */
  async #untransform(kv: KeyValue): Promise<Uint8Array> {
    try {
      if (!this.#transformer) throw new Error('identity transformer tried to read encrypted data');
      return await this.#transformer.fromStorage(kv.value, kv.key);
    } catch (error) {
      throw unreadable(kv.key, error);
    }
  }

  #advance(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.revision <= revision);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const waiter of ready) waiter.resolve();
  }

  #resource(id: string): ResourceCache {
    let resource = this.#resources.get(id);
    if (!resource) {
      resource = new ResourceCache(`${ROOT}${id}/`, this.#base, this.#scheduleFeed);
      this.#resources.set(id, resource);
    }
    return resource;
  }
}

/** `/registry/apps/deployments/ns/name` as `apps/deployments` and `ns/name`. */
function splitKey(key: string): { id: string; rest: string } {
  const end = key.indexOf('/', key.indexOf('/', ROOT.length) + 1);
  return { id: key.slice(ROOT.length, end), rest: key.slice(end + 1) };
}

function deletion(key: string, modRevision: number): StoreEvent {
  return { type: 'delete', kv: { key, value: new Uint8Array(), createRevision: 0, modRevision, version: 0 } };
}
