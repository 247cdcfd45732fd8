import type { KindDefinition } from '../../api/kind.ts';
import type { StoreEvent } from '../../store/store.ts';
import { CacheEvent } from './cache-event.ts';
import { type Entry, namespaceOfKey } from './entry.ts';
import { EntryIndex } from './entry-index.ts';
import { EventHistory } from './event-history.ts';
import { Feed } from './feed.ts';
import { fieldOf, type Selection } from './filter.ts';
import { type EntrySnapshot, OrderedEntries } from './ordered-entries.ts';
import type { Watcher } from './watcher.ts';

const HISTORY = 4096;
const PARSE_SLICE_MS = 5;
const MAX_LABEL_INDEXES = 16;
/** Resources with fewer objects are searched faster without a label index. */
const INDEX_FROM = 512;

/** Hears of every change at the moment the cache takes it in, in the process and unfiltered. */
export interface CacheListener {
  upsert(entry: Entry): void;
  remove(entry: Entry): void;
}

/** All objects of one stored resource, their recent changes, and who watches them. */
export class ResourceCache {
  /** Store key prefix: `/registry/apps/deployments/`. */
  readonly prefix: string;
  readonly #entries = new OrderedEntries();
  readonly #fieldIndexes = new Map<string, EntryIndex>();
  readonly #labelIndexes = new Map<string, EntryIndex>();
  readonly #groups = new Map<string, Set<Feed>>();
  readonly #schedule: (feed: Feed) => void;
  readonly #triggers = new Map<string, number>();
  readonly #snapshots = new Map<number, EntrySnapshot>();
  readonly #listeners = new Set<CacheListener>();
  readonly history: EventHistory;
  /** Revision of the last change that is known; deletions before the start are not. */
  changedAt = 0;
  #loadedAt: number;
  #unparsed = false;

  constructor(prefix: string, base: number, schedule: (feed: Feed) => void) {
    this.prefix = prefix;
    this.#schedule = schedule;
    this.history = new EventHistory(HISTORY, base);
    this.#loadedAt = base;
  }

  /** `deployments.apps`, `pods`. */
  get name(): string {
    const [, , group = '', resource = ''] = this.prefix.split('/');
    return group === 'core' ? resource : `${resource}.${group}`;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Of a stored object, by the first few; 0 without any. */
  get averageBytes(): number {
    const sample = this.#entries.range('', '', 4);
    return sample.length ? sample.reduce((sum, { byteLength }) => sum + byteLength, 0) / sample.length : 0;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  keys(): readonly Entry[] {
    return this.#entries.range('', '');
  }

  /** In key order; `start` is a key to begin at. */
  select(definition: KindDefinition, selection: Selection, start = ''): Entry[] {
    const { namespace, name } = selection;
    if (name !== undefined && (namespace !== '' || !definition.namespaced)) {
      const entry = this.get(namespace === '' ? name : `${namespace}/${name}`);
      return entry && entry.key >= start && selection.matches(entry) ? [entry] : [];
    }
    const narrowed = this.#narrow(definition, selection);
    if (narrowed) {
      const found: Entry[] = [];
      for (const entry of narrowed)
        if (entry.key >= start && inNamespace(entry, namespace) && selection.matches(entry)) found.push(entry);
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    }
    const all = this.#entries.range(...keyRange(namespace, start));
    return selection.filtered ? all.filter(selection.matches) : all;
  }

  /** Entries from `start` on without any selection, `limit` at most; and how many there are. */
  page(namespace: string, start: string, limit: number): { entries: Entry[]; count: number } {
    const range = keyRange(namespace, start);
    return { entries: this.#entries.range(...range, limit), count: this.#entries.count(...range) };
  }

  /** The state as it is now, kept for the pages of a list. */
  pin(revision: number): EntrySnapshot {
    let snapshot = this.#snapshots.get(revision);
    if (!snapshot) {
      snapshot = this.#entries.snapshot(revision);
      this.#snapshots.set(revision, snapshot);
      if (this.#snapshots.size > 16) this.#snapshots.delete(this.#snapshots.keys().next().value!);
    }
    return snapshot;
  }

  /** The state at `revision` if it is at hand. */
  pinned(revision: number): EntrySnapshot | undefined {
    return this.#snapshots.get(revision);
  }

  forgetSnapshots(upTo: number): void {
    for (const revision of this.#snapshots.keys()) if (revision <= upTo) this.#snapshots.delete(revision);
  }

  load(entry: Entry): void {
    this.#entries.set(entry);
    this.changedAt = Math.max(this.changedAt, entry.revision);
    this.#unparsed = true;
    for (const listener of this.#listeners) listener.upsert(entry);
  }

  /** What was loaded is the state at `revision`. */
  loaded(revision: number): void {
    this.#loadedAt = revision;
    this.history.startAt(revision);
  }

  /** Calls back for the objects there are before it returns. The result ends it. */
  listen(listener: CacheListener): () => void {
    for (const entry of this.keys()) listener.upsert(entry);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether every deletion after `revision` is accounted for in `changedAt`. */
  deletedBefore(revision: number): boolean {
    return revision >= this.#loadedAt;
  }

  /** Parses what was loaded as bytes, in slices, so that selecting by content does not hold up the process. */
  async parsed(): Promise<void> {
    if (!this.#unparsed) return;
    this.#unparsed = false;
    let until = performance.now() + PARSE_SLICE_MS;
    for (const entry of this.#entries.range('', '')) {
      void entry.object;
      if (performance.now() < until) continue;
      await new Promise(setImmediate);
      until = performance.now() + PARSE_SLICE_MS;
    }
  }

  /** Takes in a change and passes it to the watchers it concerns. `undefined` when it deletes what is not there. */
  apply(change: StoreEvent, key: string, entry: Entry | undefined): CacheEvent | undefined {
    const previous = this.#entries.get(key);
    if (!entry && !previous) return undefined;
    const event = entry
      ? new CacheEvent(previous ? 'MODIFIED' : 'ADDED', entry, previous)
      : new CacheEvent('DELETED', previous!.at(change.kv.modRevision), previous);
    if (entry) this.#entries.set(entry);
    else this.#entries.delete(key);
    for (const index of this.#fieldIndexes.values()) index.update(previous, entry);
    for (const index of this.#labelIndexes.values()) index.update(previous, entry);
    this.changedAt = event.revision;
    this.history.push(event);
    for (const listener of this.#listeners) {
      if (entry) listener.upsert(entry);
      else listener.remove(event.entry);
    }
    this.#tell(event);
    previous?.forgetObject();
    return event;
  }

  subscribe(watcher: Watcher): void {
    const { group, definition, selection } = watcher;
    let feeds = this.#groups.get(group);
    if (!feeds) {
      feeds = new Set();
      this.#groups.set(group, feeds);
      if (group.startsWith('f:')) this.#trigger(definition, selection.indexed!.field, 1);
    }
    let feed: Feed | undefined;
    for (const other of feeds) if (other.definition === definition && other.selection.id === selection.id) feed = other;
    if (!feed) {
      feed = new Feed(definition, selection, this.#schedule);
      feeds.add(feed);
    }
    feed.add(watcher);
    watcher.feed = feed;
  }

  unsubscribe(watcher: Watcher): void {
    const { group, definition, selection } = watcher;
    const feeds = this.#groups.get(group);
    for (const feed of feeds ?? []) if (feed.delete(watcher) && feed.watchers.size === 0) feeds!.delete(feed);
    if (feeds?.size !== 0) return;
    this.#groups.delete(group);
    if (group.startsWith('f:')) this.#trigger(definition, selection.indexed!.field, -1);
  }

  /** Notes how many groups of watchers there are by values of `field`. */
  #trigger(definition: KindDefinition, field: string, change: number): void {
    this.#fieldIndex(definition, field);
    this.#triggers.set(field, (this.#triggers.get(field) ?? 0) + change);
  }

  watchers(): Watcher[] {
    return [...this.#groups.values()].flatMap((feeds) => [...feeds].flatMap((feed) => [...feed.watchers]));
  }

  #tell(event: CacheEvent): void {
    if (this.#groups.size === 0) return;
    const { key } = event.entry;
    const slash = key.indexOf('/');
    this.#offer('', event);
    this.#offer(`k:${key}`, event);
    if (slash >= 0) this.#offer(`n:${key.slice(0, slash)}`, event);
    for (const [field, count] of this.#triggers) {
      if (count === 0) continue;
      const index = this.#fieldIndexes.get(field)!;
      const now = index.valueOf(event.entry);
      const before = event.previous && index.valueOf(event.previous);
      this.#offer(`f:${field}=${now}`, event);
      if (before !== undefined && before !== now) this.#offer(`f:${field}=${before}`, event);
    }
  }

  #offer(group: string, event: CacheEvent): void {
    const feeds = this.#groups.get(group);
    if (feeds) for (const feed of feeds) feed.offer(event);
  }

  /** What an index leaves to look at; undefined when a walk over all is better. */
  #narrow(definition: KindDefinition, { indexed, label }: Selection): Iterable<Entry> | undefined {
    if (indexed) return this.#fieldIndex(definition, indexed.field).entries(indexed.value);
    // The index is of stored labels, and a webhook that converts may change them.
    if (!label || this.size < INDEX_FROM || definition.storage?.convert) return undefined;
    const index = this.#labelIndex(label.key);
    return index && index.size(label.value) * 8 < this.size ? index.entries(label.value) : undefined;
  }

  #fieldIndex(definition: KindDefinition, field: string): EntryIndex {
    let index = this.#fieldIndexes.get(field);
    if (!index) {
      index = new EntryIndex((entry) => fieldOf(definition, entry.as(definition).object, field), this.keys());
      this.#fieldIndexes.set(field, index);
    }
    return index;
  }

  /** Clients choose the keys, so there are only so many indexes; the least recently made goes. */
  #labelIndex(label: string): EntryIndex {
    let index = this.#labelIndexes.get(label);
    if (!index) {
      if (this.#labelIndexes.size >= MAX_LABEL_INDEXES)
        this.#labelIndexes.delete(this.#labelIndexes.keys().next().value!);
      index = new EntryIndex((entry) => entry.object.metadata.labels?.[label], this.keys());
      this.#labelIndexes.set(label, index);
    }
    return index;
  }
}

function inNamespace(entry: Entry, namespace: string): boolean {
  return namespace === '' || namespaceOfKey(entry.key) === namespace;
}

/** The keys of a namespace ('' for all) from `start` on, as a range. */
export function keyRange(namespace: string, start: string): [string, string] {
  if (namespace === '') return [start, ''];
  const first = `${namespace}/`;
  return [start > first ? start : first, `${namespace}0`];
}
