import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import {
  CompactedError,
  FutureRevisionError,
  type KeyValue,
  type Lease,
  LeaseNotFoundError,
  type RangeRequest,
  type RangeResult,
  type Store,
  type StoreOperation,
  type Transaction,
  type TransactionResult,
  type Watch,
  type WatchRequest,
} from '../store.ts';
import { checkTransaction } from '../transaction-check.ts';
import type { Endpoints, EtcdTls } from './endpoints.ts';
import { EtcdWatch } from './etcd-watch.ts';
import { KeySpace } from './key-space.ts';
import type { LeaseResponse, RangeResponse, TxnResponse } from './messages.ts';

export interface EtcdStoreOptions {
  /** `http://host:port`, `https://host:port`, `unix:/path` or `host:port`. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** Before every key. */
  readonly prefix?: string;
}

/** How long a watch may take to come to a revision that a reader knows before it is asked about it. */
const PROGRESS_AFTER_MS = 100;

/** Throws CodedError ETCD_UNREACHABLE. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  // gRPC takes a while to load.
  const { Endpoints } = await import('./endpoints.ts');
  const endpoints = Endpoints.open(options.endpoints, options.tls);
  const store = new EtcdStore(endpoints, new KeySpace(options.prefix ?? ''));
  try {
    await store.revision();
  } catch (error) {
    endpoints.close();
    throw error;
  }
  return store;
}

class EtcdStore implements Store {
  readonly name = 'etcd';
  readonly #endpoints: Endpoints;
  readonly #keys: KeySpace;
  readonly #watches = new Set<EtcdWatch>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** As far as this client knows. */
  #compactRevision = 0;
  #closed = false;

  constructor(endpoints: Endpoints, keys: KeySpace) {
    this.#endpoints = endpoints;
    this.#keys = keys;
  }

  async revision(): Promise<number> {
    const { header } = await this.#range({ key: this.#keys.encode('\0'), count_only: true }, undefined);
    const revision = Number(header.revision);
    if (this.#watches.size > 0 && this.#timers.size === 0) this.#later(() => this.#hurry(revision));
    return revision;
  }

  async get(key: string, options: { revision?: number } = {}): Promise<KeyValue | undefined> {
    const request = { key: this.#keys.encode(key), revision: options.revision ?? 0 };
    const { kvs } = await this.#range(request, options.revision);
    return kvs[0] && this.#keys.decode(kvs[0]);
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    const response = await this.#range(
      {
        key: this.#keys.encode(request.start),
        range_end: this.#keys.encode(request.end),
        limit: request.limit ?? 0,
        revision: request.revision ?? 0,
        count_only: request.countOnly ?? false,
      },
      request.revision,
    );
    return {
      kvs: response.kvs.map((kv) => this.#keys.decode(kv)),
      more: response.more,
      count: Number(response.count),
      revision: Number(response.header.revision),
    };
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    checkTransaction(transaction, () => true);
    const { compare, operations } = transaction;
    const lease = operations.find((operation) => operation.type === 'put' && operation.lease !== undefined);
    const response = await this.#call<TxnResponse>('KV', 'Txn', {
      compare: compare.map(({ key, modRevision }) => ({
        result: 'EQUAL',
        target: 'MOD',
        key: this.#keys.encode(key),
        mod_revision: modRevision,
      })),
      success: operations.map((operation) => this.#operation(operation)),
      failure: compare.map(({ key }) => ({ request_range: { key: this.#keys.encode(key) } })),
    }).catch((error) => {
      throw storeError(error, lease?.type === 'put' ? lease.lease : undefined);
    });
    const revision = Number(response.header.revision);
    if (response.succeeded) return { succeeded: true, revision };
    const current = response.responses.map(({ response_range }) => {
      const kv = response_range?.kvs[0];
      return kv && this.#keys.decode(kv);
    });
    return { succeeded: false, revision, current };
  }

  watch(request: WatchRequest): Watch {
    const watch = new EtcdWatch(this.#endpoints, this.#keys, request, () => this.#watches.delete(watch));
    this.#watches.add(watch);
    if (this.#closed) watch.close();
    return watch;
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#call('KV', 'Compact', { revision, physical: true });
      this.#compactRevision = Math.max(this.#compactRevision, revision);
    } catch (error) {
      if (isCompacted(error)) throw new CompactedError(Math.max(this.#compactRevision, revision));
      throw isFuture(error) ? new FutureRevisionError(revision) : error;
    }
  }

  async grantLease(ttlSeconds: number): Promise<Lease> {
    const { ID, TTL } = await this.#call<LeaseResponse>('Lease', 'LeaseGrant', { TTL: ttlSeconds, ID: 0 });
    return { id: ID, ttlSeconds: Number(TTL) };
  }

  async keepLeaseAlive(id: string): Promise<void> {
    type KeepAlive = ClientDuplexStream<object, LeaseResponse>;
    const stream: KeepAlive = await this.#endpoints.stream('Lease', 'LeaseKeepAlive');
    const response = await new Promise<LeaseResponse>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('etcd ended the stream')));
      stream.write({ ID: id });
    }).finally(() => stream.cancel());
    if (Number(response.TTL) <= 0) throw new LeaseNotFoundError(id);
  }

  async revokeLease(id: string): Promise<void> {
    await this.#call('Lease', 'LeaseRevoke', { ID: id }).catch((error) => {
      throw storeError(error, id);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const watch of [...this.#watches]) watch.close();
    this.#endpoints.close();
  }

  async #range(request: object, revision: number | undefined): Promise<RangeResponse> {
    try {
      return await this.#endpoints.callAgain<RangeResponse>('KV', 'Range', request);
    } catch (error) {
      if (isCompacted(error)) throw new CompactedError(Math.max(this.#compactRevision, (revision ?? 0) + 1));
      throw isFuture(error) ? new FutureRevisionError(revision ?? 0) : error;
    }
  }

  #call<R>(service: 'KV' | 'Lease', method: string, request: object): Promise<R> {
    return this.#endpoints.call<R>(service, method, request);
  }

  #operation(operation: StoreOperation): object {
    const key = this.#keys.encode(operation.key);
    if (operation.type === 'delete') return { request_delete_range: { key } };
    return { request_put: { key, value: operation.value, lease: operation.lease ?? 0 } };
  }

  #hurry(revision: number): void {
    for (const watch of this.#watches) watch.hurry(revision);
  }

  #later(action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, PROGRESS_AFTER_MS);
    timer.unref();
    this.#timers.add(timer);
  }
}

function isCompacted(error: unknown): boolean {
  return detailsOf(error).includes('required revision has been compacted');
}

function isFuture(error: unknown): boolean {
  return detailsOf(error).includes('required revision is a future revision');
}

function storeError(error: unknown, lease: string | undefined): unknown {
  return detailsOf(error).includes('requested lease not found') ? new LeaseNotFoundError(lease ?? '') : error;
}

function detailsOf(error: unknown): string {
  return (error as ServiceError).details ?? '';
}
