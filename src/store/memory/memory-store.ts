import { LeaseTimers } from '../lease-timers.ts';
import {
  CompactedError,
  FutureRevisionError,
  type KeyValue,
  type Lease,
  LeaseNotFoundError,
  type RangeRequest,
  type RangeResult,
  type Store,
  type StoreEvent,
  type StoreOperation,
  type Transaction,
  type TransactionResult,
  type Watch,
  type WatchRequest,
} from '../store.ts';
import { checkTransaction, newLeaseId, tombstone } from '../transaction-check.ts';
import { WatchHub } from '../watch-hub.ts';
import { EventLog } from './event-log.ts';
import { SortedKeys } from './sorted-keys.ts';

/** A store that lives as long as the process. Values are kept as they are given, not copied. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly name = 'memory';
  readonly #current = new Map<string, KeyValue>();
  readonly #keys = new SortedKeys();
  readonly #log = new EventLog();
  readonly #hub = new WatchHub(this.#log, 1);
  readonly #leases = new LeaseTimers((id) => void this.revokeLease(id).catch(() => undefined));
  readonly #leaseKeys = new Map<string, Set<string>>();
  #unpublished: StoreEvent[] = [];
  #revision = 1;
  #closed = false;

  async revision(): Promise<number> {
    return this.#revision;
  }

  async get(key: string, options: { revision?: number } = {}): Promise<KeyValue | undefined> {
    this.#open();
    const current = this.#current.get(key);
    if (!this.#isPast(options.revision)) return current;
    const states = this.#log.undo(options.revision as number, { start: key, end: `${key}\0` });
    return states.has(key) ? states.get(key) : current;
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    this.#open();
    if (this.#isPast(request.revision)) return this.#pastRange(request, request.revision as number);
    const limit = request.countOnly ? 0 : request.limit || Number.POSITIVE_INFINITY;
    const { keys, count } = this.#keys.range(request.start, request.end, limit);
    return {
      kvs: keys.map((key) => this.#current.get(key) as KeyValue),
      more: !request.countOnly && count > keys.length,
      count,
      revision: this.#revision,
    };
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    this.#open();
    checkTransaction(transaction, (id) => this.#leases.has(id));
    const { compare } = transaction;
    if (!compare.every(({ key, modRevision }) => (this.#current.get(key)?.modRevision ?? 0) === modRevision))
      return { succeeded: false, revision: this.#revision, current: compare.map(({ key }) => this.#current.get(key)) };
    this.#write(transaction.operations);
    return { succeeded: true, revision: this.#revision };
  }

  watch(request: WatchRequest): Watch {
    return this.#hub.watch(request);
  }

  async compact(revision: number): Promise<void> {
    this.#open();
    if (revision > this.#revision) throw new FutureRevisionError(revision);
    if (revision <= this.#log.compactRevision) throw new CompactedError(this.#log.compactRevision);
    this.#log.compact(revision);
  }

  async grantLease(ttlSeconds: number): Promise<Lease> {
    this.#open();
    const id = newLeaseId();
    this.#leases.start(id, ttlSeconds);
    this.#leaseKeys.set(id, new Set());
    return { id, ttlSeconds };
  }

  async keepLeaseAlive(id: string): Promise<void> {
    this.#leases.keepAlive(id);
  }

  async revokeLease(id: string): Promise<void> {
    this.#open();
    const keys = this.#leaseKeys.get(id);
    if (!keys) throw new LeaseNotFoundError(id);
    this.#leases.stop(id);
    this.#leaseKeys.delete(id);
    this.#write([...keys].map((key) => ({ type: 'delete', key })));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#leases.close();
    this.#publish();
    this.#hub.close();
  }

  #write(operations: readonly StoreOperation[]): void {
    const revision = this.#revision + 1;
    const events: StoreEvent[] = [];
    for (const operation of operations) {
      const event = this.#apply(operation, revision);
      if (event) events.push(event);
    }
    if (events.length === 0) return;
    this.#revision = revision;
    this.#log.append(events);
    // One delivery for all commits of this turn, before the first of their promises resolves.
    if (this.#unpublished.length === 0) queueMicrotask(() => this.#publish());
    for (const event of events) this.#unpublished.push(event);
  }

  #apply(operation: StoreOperation, revision: number): StoreEvent | undefined {
    const { key } = operation;
    const previous = this.#current.get(key);
    if (previous?.lease) this.#leaseKeys.get(previous.lease)?.delete(key);
    if (operation.type === 'delete') {
      if (!previous) return undefined;
      this.#current.delete(key);
      this.#keys.delete(key);
      return { type: 'delete', kv: tombstone(key, revision), previous };
    }
    const { value, lease } = operation;
    const kv: KeyValue = {
      key,
      value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
      ...(lease === undefined ? {} : { lease }),
    };
    if (!previous) this.#keys.add(key);
    this.#current.set(key, kv);
    if (lease !== undefined) this.#leaseKeys.get(lease)?.add(key);
    return previous ? { type: 'put', kv, previous } : { type: 'put', kv };
  }

  #publish(): void {
    const events = this.#unpublished;
    if (events.length === 0) return;
    this.#unpublished = [];
    this.#hub.publish(events, this.#revision);
  }

  #pastRange(request: RangeRequest, revision: number): RangeResult {
    const states = this.#log.undo(revision, request);
    const limit = request.countOnly ? 0 : request.limit || Number.POSITIVE_INFINITY;
    // Of the current keys at most those in `states` did not exist then.
    const { keys, count: now } = this.#keys.range(request.start, request.end, limit === 0 ? 0 : limit + states.size);
    const kvs: KeyValue[] = [];
    for (const key of keys) {
      const kv = states.has(key) ? states.get(key) : this.#current.get(key);
      if (kv) kvs.push(kv);
    }
    let count = now;
    let isUnordered = false;
    for (const [key, kv] of states) {
      const exists = this.#current.has(key);
      count += Number(kv !== undefined) - Number(exists);
      if (!kv || exists) continue;
      kvs.push(kv);
      isUnordered = true;
    }
    if (isUnordered) kvs.sort((a, b) => (a.key < b.key ? -1 : 1));
    if (kvs.length > limit) kvs.length = limit;
    return { kvs, more: !request.countOnly && kvs.length < count, count, revision: this.#revision };
  }

  #isPast(revision: number | undefined): boolean {
    if (!revision || revision === this.#revision) return false;
    if (revision > this.#revision) throw new FutureRevisionError(revision);
    if (revision < this.#log.compactRevision) throw new CompactedError(this.#log.compactRevision);
    return true;
  }

  #open(): void {
    if (this.#closed) throw new Error('the datastore is closed');
  }
}
