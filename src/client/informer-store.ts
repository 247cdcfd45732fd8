import type { KubeObject } from '../apimachinery/meta.ts';

/** Objects by key, with indexes by function. Pure bookkeeping: no events, no network. */
export interface InformerStore<T extends KubeObject> {
  get(key: string): T | undefined;
  readonly size: number;
  keys(): IterableIterator<string>;
  values(): IterableIterator<T>;
  list(namespace?: string): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  addIndex(name: string, keys: (object: T) => readonly string[]): void;
  /** Returns what was there before. */
  set(key: string, object: T): T | undefined;
  delete(key: string): T | undefined;
}

interface Index<T> {
  readonly keys: (object: T) => readonly string[];
  /** Index value to object key to object. */
  readonly buckets: Map<string, Map<string, T>>;
}

const NAMESPACE = '\u0000namespace';

export function createInformerStore<T extends KubeObject>(namespaced: boolean): InformerStore<T> {
  const objects = new Map<string, T>();
  const indexes = new Map<string, Index<T>>();
  if (namespaced) indexes.set(NAMESPACE, { keys: (object) => [object.metadata.namespace ?? ''], buckets: new Map() });

  function unindex(index: Index<T>, key: string, object: T): void {
    for (const value of index.keys(object)) {
      const bucket = index.buckets.get(value);
      if (!bucket) continue;
      bucket.delete(key);
      if (bucket.size === 0) index.buckets.delete(value);
    }
  }
  function enter(index: Index<T>, key: string, object: T): void {
    for (const value of index.keys(object)) {
      let bucket = index.buckets.get(value);
      if (!bucket) {
        bucket = new Map();
        index.buckets.set(value, bucket);
      }
      bucket.set(key, object);
    }
  }

  return {
    get: (key) => objects.get(key),
    get size() {
      return objects.size;
    },
    keys: () => objects.keys(),
    values: () => objects.values(),
    list: (namespace) => {
      if (namespace === undefined || !namespaced) return [...objects.values()];
      const bucket = indexes.get(NAMESPACE)?.buckets.get(namespace);
      return bucket ? [...bucket.values()] : [];
    },
    byIndex(name, value) {
      const index = indexes.get(name);
      if (!index) throw new Error(`no index "${name}": add it with addIndex before it is asked for`);
      const bucket = index.buckets.get(value);
      return bucket ? [...bucket.values()] : [];
    },
    addIndex(name, keys) {
      if (indexes.has(name)) return;
      const index: Index<T> = { keys, buckets: new Map() };
      for (const [key, object] of objects) enter(index, key, object);
      indexes.set(name, index);
    },
    set(key, object) {
      const old = objects.get(key);
      objects.set(key, object);
      for (const index of indexes.values()) {
        if (old) unindex(index, key, old);
        enter(index, key, object);
      }
      return old;
    },
    delete(key) {
      const old = objects.get(key);
      if (!old) return undefined;
      objects.delete(key);
      for (const index of indexes.values()) unindex(index, key, old);
      return old;
    },
  };
}
