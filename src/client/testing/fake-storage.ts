import type { UnstructuredObject, WatchEventType } from '../../apimachinery/meta.ts';

/** One change, as watches are told of it. */
export interface FakeChange {
  readonly revision: number;
  readonly type: WatchEventType;
  /** `apps/deployments`: group and resource. */
  readonly collection: string;
  readonly object: UnstructuredObject;
  readonly old: UnstructuredObject | undefined;
}

/** Objects under one revision counter, with their history: what the fake transport keeps. */
export interface FakeStorage {
  readonly revision: number;
  get(collection: string, key: string): UnstructuredObject | undefined;
  list(collection: string): readonly UnstructuredObject[];
  /** Gives the object the next resourceVersion and returns it as stored. */
  put(collection: string, key: string, object: UnstructuredObject): UnstructuredObject;
  delete(collection: string, key: string): UnstructuredObject;
  /** Changes after `revision`, or undefined when they are forgotten. */
  since(revision: number): readonly FakeChange[] | undefined;
  onChange(listener: (change: FakeChange) => void): () => void;
  /** Forgets the history so far: watches from before it get 410. */
  compact(): void;
}

export function createFakeStorage(): FakeStorage {
  const collections = new Map<string, Map<string, UnstructuredObject>>();
  const listeners = new Set<(change: FakeChange) => void>();
  let history: FakeChange[] = [];
  let compacted = 0;
  let revision = 0;

  function record(change: FakeChange): void {
    history.push(change);
    for (const listener of [...listeners]) listener(change);
  }
  const stamped = (object: UnstructuredObject): UnstructuredObject => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion: String(++revision) },
  });

  return {
    get revision() {
      return revision;
    },
    get: (collection, key) => collections.get(collection)?.get(key),
    list: (collection) => [...(collections.get(collection)?.values() ?? [])],
    put(collection, key, object) {
      let objects = collections.get(collection);
      if (!objects) {
        objects = new Map();
        collections.set(collection, objects);
      }
      const old = objects.get(key);
      const stored = stamped(object);
      objects.set(key, stored);
      record({ revision, type: old ? 'MODIFIED' : 'ADDED', collection, object: stored, old });
      return stored;
    },
    delete(collection, key) {
      const old = collections.get(collection)?.get(key);
      if (!old) throw new Error(`nothing to delete at ${collection} ${key}`);
      collections.get(collection)?.delete(key);
      const last = stamped(old);
      record({ revision, type: 'DELETED', collection, object: last, old });
      return last;
    },
    since: (from) => (from < compacted ? undefined : history.filter((change) => change.revision > from)),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    compact() {
      compacted = revision;
      history = [];
    },
  };
}
