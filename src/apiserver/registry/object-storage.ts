import type { KindDefinition } from '../../api/kind.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { alreadyExists } from '../../apimachinery/status-error.ts';
import type { KeyValue, Store, StoreOperation, Transaction, TransactionResult } from '../../store/store.ts';
import type { Entry } from '../watch-cache/entry.ts';
import { encodeStored } from '../watch-cache/object-encoding.ts';
import type { ValueTransformer } from '../watch-cache/value-transformer.ts';
import type { PendingWrite, WatchCache } from '../watch-cache/watch-cache.ts';
import { LeasePool } from './lease-pool.ts';

/** What became of a conditional write; `current` is what stands in its way. */
export type WriteOutcome =
  | { readonly written: Entry }
  | { readonly written: undefined; readonly current: Entry | undefined };

/** Objects in the datastore: conditional writes that hand their object to the watch cache, and fresh reads from it. */
export class ObjectStorage {
  readonly store: Store;
  readonly cache: WatchCache;
  readonly #transformer: ValueTransformer | undefined;
  readonly #leases: LeasePool;

  constructor(options: { store: Store; cache: WatchCache; transformer?: ValueTransformer }) {
    this.store = options.store;
    this.cache = options.cache;
    this.#transformer = options.transformer;
    this.#leases = new LeasePool(options.store);
  }

  /** As of now; in the stored version. */
  async get(definition: KindDefinition, namespace: string, name: string): Promise<Entry | undefined> {
    const waiting = this.cache.fresh();
    if (waiting) await waiting;
    const resource = this.cache.for(definition);
    const unread = this.cache.readable(resource, namespace, name);
    if (unread) await unread;
    const entry = resource.get(cacheKey(namespace, name));
    return entry && definition.storage?.convert ? entry.prepare(definition) : entry;
  }

  /** Throws AlreadyExists. The entry is in the stored version. */
  async create(definition: KindDefinition, object: UnstructuredObject): Promise<Entry> {
    const outcome = await this.#put(definition, object, 0);
    if (outcome.written) return outcome.written;
    throw alreadyExists(definition, object.metadata.name);
  }

  /** Replaces the object if it is still at `revision`. */
  replace(definition: KindDefinition, object: UnstructuredObject, revision: number): Promise<WriteOutcome> {
    return this.#put(definition, object, revision);
  }

  /** Whether writing `entry` as it is would store it in another way: encrypted with a newer key, say. */
  async isStale(definition: KindDefinition, entry: Entry): Promise<boolean> {
    const key = this.cache.for(definition).prefix + entry.key;
    if (!this.#transformer?.encrypts(key)) return false;
    const kv = await this.store.get(key);
    return kv !== undefined && kv.modRevision === entry.revision && !this.#transformer.isCurrent(kv.value, key);
  }

  /** Deletes the object if it is still as `entry` has it. */
  async delete(definition: KindDefinition, entry: Entry): Promise<WriteOutcome> {
    const key = this.cache.for(definition).prefix + entry.key;
    const result = await this.store.commit({
      compare: [{ key, modRevision: entry.revision }],
      operations: [{ type: 'delete', key }],
    });
    if (!result.succeeded) return this.#lost(definition, result.current[0]);
    this.cache.noteCommit(result.revision);
    return { written: entry.at(result.revision) };
  }

  async #put(definition: KindDefinition, object: UnstructuredObject, revision: number): Promise<WriteOutcome> {
    const { namespace = '', name } = object.metadata;
    const key = this.cache.for(definition).prefix + cacheKey(namespace, name);
    const stored = definition.storage ? await toStorage(definition.storage, object) : object;
    const plain = encodeStored(stored);
    const value = this.#transformer ? await this.#transformer.toStorage(plain, key) : plain;
    const lease = definition.ttlSeconds ? await this.#leases.lease(definition.ttlSeconds) : undefined;
    const operation: StoreOperation = { type: 'put', key, value, ...(lease ? { lease } : {}) };
    const write: PendingWrite = { key, value, plain, object: stored };
    this.cache.expect(write);
    const result = await this.#commit({ compare: [{ key, modRevision: revision }], operations: [operation] }, write);
    if (!result.succeeded) return this.#lost(definition, result.current[0]);
    const entry = this.cache.committed(write, result.revision);
    return { written: definition.storage?.convert ? await entry.prepare(definition) : entry };
  }

  async #commit(transaction: Transaction, write: PendingWrite): Promise<TransactionResult> {
    let succeeded = false;
    try {
      const result = await this.store.commit(transaction);
      succeeded = result.succeeded;
      return result;
    } finally {
      if (!succeeded) this.cache.failed(write);
    }
  }

  async #lost(definition: KindDefinition, current: KeyValue | undefined): Promise<WriteOutcome> {
    return { written: undefined, current: current && (await (await this.cache.decode(current)).prepare(definition)) };
  }
}

export function cacheKey(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

function toStorage(
  storage: NonNullable<KindDefinition['storage']>,
  object: UnstructuredObject,
): UnstructuredObject | Promise<UnstructuredObject> {
  if (storage.storesAsIs?.(object)) return object;
  return storage.toStorage(draft(object) as Draft<UnstructuredObject>) as
    | UnstructuredObject
    | Promise<UnstructuredObject>;
}
