import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { checkLmdbFile } from './check-file.ts';
import {
  AFTER_RECORDS,
  ALL_KEYS,
  attachedKey,
  deletedKey,
  keyEncoder,
  LEASE_KEYS,
  liveKey,
  META_KEY,
  recordKey,
  recordPosition,
} from './database-keys.ts';
import {
  DAMAGED,
  decodeStored,
  encodeMeta,
  type LogRecord,
  type Meta,
  type Pointer,
  type Stored,
  type StoredLease,
} from './record.ts';
import { corruptStore, writeFailure } from './store-failure.ts';

type Lmdb = RootDatabase<Buffer | Stored, string>;

/** A view of one moment, across turns of the event loop. `done` lets it go. */
export interface Snapshot {
  readonly transaction: ReturnType<Lmdb['useReadTransaction']>;
  done(): void;
}

export interface Write {
  readonly key: string;
  /** Removes the key when undefined. */
  readonly value: Buffer | undefined;
}

/** The LMDB environment in `path`, in terms of the store's records. Reads see the last durable batch. */
export class Database {
  readonly path: string;
  readonly #db: Lmdb;
  #snapshots = 0;
  #released: (() => void) | undefined;

  private constructor(path: string, db: Lmdb) {
    this.path = path;
    this.#db = db;
  }

  /** Throws CodedError: DATASTORE_CORRUPT, DATASTORE_NOT_OPENED. */
  static async open(path: string): Promise<Database> {
    checkLmdbFile(join(path, 'data.mdb'));
    const { open } = await import('lmdb');
    try {
      const options = {
        path,
        noSubdir: false,
        keyEncoder,
        encoder: {
          encode: (value: Buffer) => value,
          decode: (bytes: Buffer) => decodeStored(bytes, bytes.length),
        },
        // A commit's promise then resolves when it is synced, and nothing is visible before that.
        overlappingSync: false,
        eventTurnBatching: false,
        // From there on a value takes whole pages of its own, in the file and in the memory that it is mapped to.
        compression: { threshold: 2000 },
      };
      const database = new Database(path, open<Buffer | Stored, string>(options));
      await database.#initialize();
      return database;
    } catch (error) {
      if (error instanceof CodedError) throw error;
      const { code, message } = error as { code?: string | number; message: string };
      if (/MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|VERSION_MISMATCH|PANIC)/.test(message))
        throw corruptStore(path, message, error);
      throw new CodedError(
        'DATASTORE_NOT_OPENED',
        `the datastore ${path} can't be opened: ${message}${code === undefined ? '' : ` (${code})`}`,
        'Check that the directory exists, is writable and is on a local disk.',
        { cause: error },
      );
    }
  }

  meta(snapshot?: Snapshot): Meta {
    const meta = this.#get<Meta>(META_KEY, snapshot);
    if (!meta) throw corruptStore(this.path, 'it has no head record');
    return meta;
  }

  pointer(key: string, snapshot?: Snapshot): Pointer | undefined {
    return this.#get<Pointer>(liveKey(key), snapshot);
  }

  deletion(key: string, snapshot?: Snapshot): Pointer | undefined {
    return this.#get<Pointer>(deletedKey(key), snapshot);
  }

  /** Undefined when it was compacted away. Throws DATASTORE_CORRUPT. */
  record(at: { revision: number; index: number }, snapshot?: Snapshot): LogRecord | undefined {
    const record = this.#get<LogRecord>(recordKey(at.revision, at.index), snapshot);
    if (record && record.kv.modRevision !== at.revision)
      throw corruptStore(this.path, `the record of revision ${at.revision} is another's`);
    return record;
  }

  count(start: string, end: string, snapshot: Snapshot): number {
    return this.#db.getKeysCount({ start: liveKey(start), end: liveKey(end), transaction: snapshot.transaction });
  }

  /** Keys of `[start, end)` with their pointers: those that exist, or those whose deletion is remembered. */
  *pointers(of: 'live' | 'deleted', start: string, end: string, snapshot: Snapshot): Generator<[string, Pointer]> {
    const keyOf = of === 'live' ? liveKey : deletedKey;
    const range = { start: keyOf(start), end: keyOf(end), transaction: snapshot.transaction };
    for (const { key, value } of this.#db.getRange(range)) yield [key.slice(1), this.#sound<Pointer>(key, value)];
  }

  /** Where the records after `revision` are, in order. */
  *positions(after: number, snapshot: Snapshot): Generator<{ revision: number; index: number }> {
    const range = { start: recordKey(after + 1, 0), end: AFTER_RECORDS, transaction: snapshot.transaction };
    for (const key of this.#db.getKeys(range)) yield recordPosition(key);
  }

  *leases(): Generator<{ id: string; ttlSeconds: number }> {
    for (const { key, value } of this.#db.getRange(LEASE_KEYS))
      yield { id: key.slice(1), ttlSeconds: this.#sound<StoredLease>(key, value).ttlSeconds };
  }

  leaseKeys(id: string): string[] {
    const start = attachedKey(id, '');
    const end = `${start.slice(0, -1)}0`;
    return Array.from(this.#db.getKeys({ start, end }), (key) => key.slice(start.length));
  }

  snapshot(): Snapshot {
    this.#db.resetReadTxn();
    // biome-ignore lint/correctness/useHookAtTopLevel: lmdb's name, not a hook of React
    const transaction = this.#db.useReadTransaction();
    this.#snapshots++;
    return {
      transaction,
      done: () => {
        transaction.done();
        if (--this.#snapshots === 0) this.#released?.();
      },
    };
  }

  /** All of it or nothing; durable when it resolves. Rejects with CodedError. */
  async write(writes: readonly Write[]): Promise<void> {
    try {
      await this.#db.batch(() => {
        for (const { key, value } of writes) {
          if (value) this.#db.put(key, value);
          else this.#db.remove(key);
        }
      });
    } catch (error) {
      throw await writeFailure(this.path, error);
    } finally {
      this.#db.resetReadTxn();
    }
  }

  /** Waits for snapshots: reading on in a closed environment would end the process. */
  async close(): Promise<void> {
    if (this.#snapshots > 0)
      await new Promise<void>((resolve) => {
        this.#released = resolve;
      });
    await this.#db.close();
  }

  async #initialize(): Promise<void> {
    // Not a bare count: it would visit every key.
    if (!this.#get<Meta>(META_KEY) && this.#db.getKeysCount({ ...ALL_KEYS, limit: 1 }) === 0) {
      const meta = { revision: 1, compactRevision: 0, scrubbedRevision: 0 };
      await this.write([{ key: META_KEY, value: encodeMeta(meta) }]);
    }
    this.meta();
  }

  #get<T extends Stored>(key: string, snapshot?: Snapshot): T | undefined {
    const value = this.#db.get(key, snapshot ? { transaction: snapshot.transaction } : undefined);
    return value === undefined ? undefined : this.#sound<T>(key, value);
  }

  #sound<T extends Stored>(key: string, value: Buffer | Stored): T {
    if (value === DAMAGED) throw corruptStore(this.path, `what it holds as ${key} is not what was written`);
    return value as T;
  }
}
