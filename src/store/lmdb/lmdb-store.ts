import { CodedError } from '../../apimachinery/coded-error.ts';
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
  type StoreOperation,
  type Transaction,
  type TransactionResult,
  type Watch,
  type WatchRequest,
} from '../store.ts';
import { checkTransaction, newLeaseId, tombstone } from '../transaction-check.ts';
import { WatchHub } from '../watch-hub.ts';
import { scrub } from './compaction.ts';
import { Database } from './database.ts';
import { leaseKey } from './database-keys.ts';
import { type Batch, GroupCommit, MAX_KEY_BYTES } from './group-commit.ts';
import { RecordHistory, readCurrent, readPast, readRange } from './reads.ts';
import { encodeLease } from './record.ts';

/**
 * Opens the store in the directory `path`, which it makes if it has to (0700 is the caller's business). One process at a
 * time. Throws CodedError DATASTORE_CORRUPT or DATASTORE_NOT_OPENED.
 */
export async function openLmdbStore(options: { readonly path: string }): Promise<Store> {
  const store = new LmdbStore(await Database.open(options.path));
  store.start();
  return store;
}

class LmdbStore implements Store {
  readonly name = 'lmdb';
  readonly #database: Database;
  readonly #writer: GroupCommit;
  readonly #hub: WatchHub;
  readonly #leases = new LeaseTimers((id) => void this.revokeLease(id).catch(() => this.#retryRevoke(id)));
  /** Leases whose end is on its way to the disk: nothing can be attached to them any more. */
  readonly #ending = new Set<string>();
  #scrubbing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#hub = new WatchHub(new RecordHistory(database), database.meta().revision);
    this.#writer = new GroupCommit(database, (events, meta) => this.#hub.publish(events, meta.revision));
  }

  start(): void {
    // Nobody could keep them alive meanwhile: leases run their whole time again.
    for (const { id, ttlSeconds } of this.#database.leases()) this.#leases.start(id, ttlSeconds);
    // A compaction that an earlier process did not finish.
    this.#scrub().catch(() => undefined);
  }

  async revision(): Promise<number> {
    return this.#writer.meta.revision;
  }

  async get(key: string, options: { revision?: number } = {}): Promise<KeyValue | undefined> {
    this.#open();
    const { revision } = options;
    this.#checkRevision(revision);
    if (!revision || revision === this.#writer.meta.revision) return readCurrent(this.#database, key);
    return readPast(this.#database, key, revision);
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    this.#open();
    this.#checkRevision(request.revision);
    return readRange(this.#database, request);
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    this.#open();
    const hasLease = (id: string) => this.#leases.has(id) && !this.#ending.has(id);
    for (const { key } of transaction.operations) checkKeyLength(key);
    return this.#write(transaction.operations.length + transaction.compare.length, (batch) => {
      const { compare } = transaction;
      checkTransaction(transaction, hasLease);
      if (compare.every(({ key, modRevision }) => batch.modRevision(key) === modRevision)) {
        apply(batch, transaction.operations);
        return { succeeded: true, revision: batch.meta.revision };
      }
      return { succeeded: false, revision: batch.meta.revision, current: compare.map(({ key }) => batch.get(key)) };
    });
  }

  watch(request: WatchRequest): Watch {
    return this.#hub.watch(request);
  }

  async compact(revision: number): Promise<void> {
    this.#open();
    await this.#write(1, (batch) => {
      const { meta } = batch;
      if (revision > meta.revision) throw new FutureRevisionError(revision);
      if (revision <= meta.compactRevision) throw new CompactedError(meta.compactRevision);
      batch.meta = { ...meta, compactRevision: revision };
    });
    await this.#scrub();
  }

  async grantLease(ttlSeconds: number): Promise<Lease> {
    this.#open();
    const id = newLeaseId();
    await this.#write(1, (batch) => {
      batch.writes.push({ key: leaseKey(id), value: encodeLease({ ttlSeconds }) });
    });
    this.#leases.start(id, ttlSeconds);
    return { id, ttlSeconds };
  }

  async keepLeaseAlive(id: string): Promise<void> {
    this.#leases.keepAlive(id);
  }

  async revokeLease(id: string): Promise<void> {
    this.#open();
    if (!this.#leases.has(id) || this.#ending.has(id)) throw new LeaseNotFoundError(id);
    this.#ending.add(id);
    const revoke = (batch: Batch) => {
      apply(
        batch,
        this.#database.leaseKeys(id).map((key) => ({ type: 'delete', key })),
      );
      batch.writes.push({ key: leaseKey(id), value: undefined });
    };
    try {
      await this.#write(1, revoke, true);
      this.#leases.stop(id);
    } finally {
      this.#ending.delete(id);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#leases.close();
    await this.#scrubbing.catch(() => undefined);
    await this.#writer.idle();
    this.#hub.close();
    await this.#database.close();
  }

  #write<T>(operations: number, prepare: (batch: Batch) => T, alone = false): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#writer.add({
        operations,
        alone,
        prepare: (batch) => {
          const result = prepare(batch);
          return () => resolve(result);
        },
        reject,
      });
    });
  }

  #scrub(): Promise<void> {
    const step = () => this.#write(1, (batch) => scrub(this.#database, batch), true);
    this.#scrubbing = this.#scrubbing
      .catch(() => undefined)
      .then(async () => {
        while (!this.#closing && (await step()));
      });
    return this.#scrubbing;
  }

  /** An expired lease whose keys could not be deleted, because the disk is full, is tried again. */
  #retryRevoke(id: string): void {
    if (!this.#closing && this.#leases.has(id) && !this.#ending.has(id)) this.#leases.start(id, 1);
  }

  #checkRevision(revision: number | undefined): void {
    if (!revision) return;
    const { meta } = this.#writer;
    if (revision > meta.revision) throw new FutureRevisionError(revision);
    if (revision < meta.compactRevision) throw new CompactedError(meta.compactRevision);
  }

  #open(): void {
    if (this.#closing) throw new Error('the datastore is closed');
  }
}

function apply(batch: Batch, operations: readonly StoreOperation[]): void {
  const revision = batch.meta.revision + 1;
  let index = 0;
  for (const operation of operations) {
    const { key } = operation;
    const previous = batch.get(key);
    if (operation.type === 'delete') {
      if (previous) batch.delete(tombstone(key, revision), previous, index++);
      continue;
    }
    const { value, lease } = operation;
    const createRevision = previous?.createRevision ?? revision;
    const version = (previous?.version ?? 0) + 1;
    batch.put(
      { key, value, createRevision, modRevision: revision, version, ...(lease === undefined ? {} : { lease }) },
      previous,
      index++,
    );
  }
  if (index > 0) batch.meta = { ...batch.meta, revision };
}

function checkKeyLength(key: string): void {
  if (Buffer.byteLength(key) <= MAX_KEY_BYTES) return;
  throw new CodedError(
    'DATASTORE_KEY_TOO_LONG',
    `a key of ${key.length} characters is too long for the lmdb datastore`,
    `Use a key of at most ${MAX_KEY_BYTES} bytes.`,
  );
}
