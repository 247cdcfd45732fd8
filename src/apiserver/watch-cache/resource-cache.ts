import type { KindDefinition } from '../../api/kind.ts';
import type { StoreEvent } from '../../store/store.ts';
import { CacheEvent } from './cache-event.ts';
import { type Entry, namespaceOfKey } from './entry.ts';
import { EventHistory } from './event-history.ts';
import { fieldOf, type Selection } from './filter.ts';
import { type EntrySnapshot, OrderedEntries } from './ordered-entries.ts';
import type { Watcher } from './watcher.ts';

const HISTORY = 4096;
const PARSE_SLICE_MS = 5;

/** Hears of every change at the moment the cache takes it in, in the process and unfiltered. */
export interface CacheListener {
  upsert(entry: Entry): void;
  remove(entry: Entry): void;
}

interface FieldIndex {
  readonly definition: KindDefinition;
  readonly entries: Map<string, Map<string, Entry>>;
}

/** All objects of one stored resource, their recent changes, and who watches them. */
export class ResourceCache {
  /** Store key prefix: `/registry/apps/deployments/`. */
  readonly prefix: string;
  readonly #entries = new OrderedEntries();
  readonly #indexes = new Map<string, FieldIndex>();
  readonly #groups = new Map<string, Set<Watcher>>();
  readonly #triggers = new Map<string, number>();
  readonly #snapshots = new Map<number, EntrySnapshot>();
  readonly #listeners = new Set<CacheListener>();
  readonly history: EventHistory;
  /** Revision of the last change that is known; deletions before the start are not. */
  changedAt = 0;
  readonly #loadedAt: number;
  #unparsed = false;

  constructor(prefix: string, base: number) {
    this.prefix = prefix;
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

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  keys(): readonly Entry[] {
    return this.#entries.range('', '');
  }

  /** In key order; `start` is a key to begin at. */
  select(definition: KindDefinition, selection: Selection, start = ''): Entry[] {
    const { namespace, name, indexed } = selection;
    if (name !== undefined && (namespace !== '' || !definition.namespaced)) {
      const entry = this.get(namespace === '' ? name : `${namespace}/${name}`);
      return entry && entry.key >= start && selection.matches(entry) ? [entry] : [];
    }
    if (indexed) {
      const found = [...(this.#index(definition, indexed.field).get(indexed.value)?.values() ?? [])];
      return found
        .filter((entry) => entry.key >= start && inNamespace(entry, namespace) && selection.matches(entry))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    }
    const all = this.#entries.range(...keyRange(namespace, start));
    return selection.filtered ? all.filter(selection.matches) : all;
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
    for (const [field, index] of this.#indexes) updateIndex(field, index, key, previous, entry);
    this.changedAt = event.revision;
    this.history.push(event);
    for (const listener of this.#listeners) {
      if (entry) listener.upsert(entry);
      else listener.remove(event.entry);
    }
    this.#tell(event);
    return event;
  }

  subscribe(watcher: Watcher): void {
    const { group } = watcher;
    let members = this.#groups.get(group);
    if (!members) {
      members = new Set();
      this.#groups.set(group, members);
    }
    members.add(watcher);
    const field = watcher.group.startsWith('f:') ? watcher.selection.indexed!.field : undefined;
    if (field) {
      this.#index(watcher.definition, field);
      this.#triggers.set(field, (this.#triggers.get(field) ?? 0) + 1);
    }
  }

  unsubscribe(watcher: Watcher): void {
    const { group } = watcher;
    const members = this.#groups.get(group);
    if (!members?.delete(watcher)) return;
    if (members.size === 0) this.#groups.delete(group);
    const field = watcher.selection.indexed?.field;
    if (group.startsWith('f:') && field) this.#triggers.set(field, (this.#triggers.get(field) ?? 1) - 1);
  }

  watchers(): Watcher[] {
    return [...this.#groups.values()].flatMap((members) => [...members]);
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
      const { definition } = this.#indexes.get(field)!;
      const now = fieldOf(definition, event.entry.as(definition).object, field);
      const before = event.previous && fieldOf(definition, event.previous.as(definition).object, field);
      this.#offer(`f:${field}=${now}`, event);
      if (before !== undefined && before !== now) this.#offer(`f:${field}=${before}`, event);
    }
  }

  #offer(group: string, event: CacheEvent): void {
    const members = this.#groups.get(group);
    if (members) for (const watcher of members) watcher.offer(event);
  }

  #index(definition: KindDefinition, field: string): Map<string, Map<string, Entry>> {
    let index = this.#indexes.get(field);
    if (!index) {
      index = { definition, entries: new Map() };
      for (const entry of this.#entries.range('', '')) updateIndex(field, index, entry.key, undefined, entry);
      this.#indexes.set(field, index);
    }
    return index.entries;
  }
}

function updateIndex(
  field: string,
  index: FieldIndex,
  key: string,
  previous: Entry | undefined,
  entry: Entry | undefined,
): void {
  const { definition, entries } = index;
  const before = previous && fieldOf(definition, previous.as(definition).object, field);
  const now = entry && fieldOf(definition, entry.as(definition).object, field);
  if (before !== undefined && before !== now) {
    const bucket = entries.get(before);
    bucket?.delete(key);
    if (bucket?.size === 0) entries.delete(before);
  }
  if (now === undefined) return;
  let bucket = entries.get(now);
  if (!bucket) {
    bucket = new Map();
    entries.set(now, bucket);
  }
  bucket.set(key, entry!);
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
