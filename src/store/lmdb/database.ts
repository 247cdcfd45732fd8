import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { checkLmdbFile } from './check-file.ts';
import {
  attachedKey,
  decodeMeta,
  decodePointer,
  decodeRecord,
  deletedKey,
  encodeMeta,
  type LogRecord,
  liveKey,
  META_KEY,
  type Meta,
  type Pointer,
  recordKey,
} from './record.ts';
import { corruptStore, writeFailure } from './store-failure.ts';

type Transaction = ReturnType<RootDatabase['useReadTransaction']>;

/** A view of one moment, across turns of the event loop. `done` lets it go. */
export interface Snapshot {
  readonly transaction: Transaction;
  done(): void;
}

export interface Write {
  readonly key: Buffer;
  /** Removes the key when undefined. */
  readonly value: Buffer | undefined;
}

/** The LMDB environment in `path`, in terms of the store's records. Reads see the last durable batch. */
export class Database {
  readonly path: string;
  readonly #db: RootDatabase<Buffer, Buffer>;

  private constructor(path: string, db: RootDatabase<Buffer, Buffer>) {
    this.path = path;
    this.#db = db;
  }

  /** Throws CodedError: DATASTORE_CORRUPT, DATASTORE_NOT_OPENED. */
  static async open(path: string): Promise<Database> {
    checkLmdbFile(join(path, 'data.mdb'));
    const { open } = await import('lmdb');
    try {
      const db = open<Buffer, Buffer>({
        path,
        noSubdir: false,
        keyEncoding: 'binary',
        encoding: 'binary',
        // A commit's promise then resolves when it is synced, and nothing is visible before that.
        overlappingSync: false,
        eventTurnBatching: false,
      } as Parameters<typeof open>[0] & { path: string });
      const database = new Database(path, db);
      if (!db.getBinary(META_KEY)) {
        const isEmpty = db.getKeysCount({ limit: 1 }) === 0;
        if (!isEmpty) throw corruptStore(path, 'it has no head record');
        await database.write([
          { key: META_KEY, value: encodeMeta({ revision: 1, compactRevision: 0, scrubbedRevision: 0 }) },
        ]);
      }
      database.meta();
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
    const bytes = this.#get(META_KEY, snapshot);
    const meta = bytes && decodeMeta(bytes);
    if (!meta) throw corruptStore(this.path, 'its head record is unreadable');
    return meta;
  }

  pointer(key: string, snapshot?: Snapshot): Pointer | undefined {
    const bytes = this.#get(liveKey(key), snapshot);
    return bytes && decodePointer(bytes);
  }

  deletion(key: string, snapshot?: Snapshot): Pointer | undefined {
    const bytes = this.#get(deletedKey(key), snapshot);
    return bytes && decodePointer(bytes);
  }

  /** Undefined when it was compacted away. Throws DATASTORE_CORRUPT. */
  record(at: { revision: number; index: number }, snapshot?: Snapshot): LogRecord | undefined {
    const bytes = this.#get(recordKey(at.revision, at.index), snapshot);
    if (!bytes) return undefined;
    const record = decodeRecord(bytes, at.revision);
    if (!record) throw corruptStore(this.path, `the record of revision ${at.revision} does not match its checksum`);
    return record;
  }

  count(start: string, end: string, snapshot: Snapshot): number {
    return this.#db.getKeysCount({ start: liveKey(start), end: liveKey(end), transaction: snapshot.transaction });
  }

  /** Keys of `[start, end)` with their pointers: those that exist, or those whose deletion is remembered. */
  *pointers(of: 'live' | 'deleted', start: string, end: string, snapshot: Snapshot): Generator<[string, Pointer]> {
    const keyOf = of === 'live' ? liveKey : deletedKey;
    const range = { start: keyOf(start), end: keyOf(end), transaction: snapshot.transaction };
    for (const { key, value } of this.#db.getRange(range)) yield [key.toString('utf8', 1), decodePointer(value)];
  }

  /** Keys of records after `revision`, in order. */
  recordKeys(after: number, snapshot: Snapshot): Iterable<Buffer> {
    const range = { start: recordKey(after + 1, 0), end: Buffer.from('s'), transaction: snapshot.transaction };
    return this.#db.getKeys(range);
  }

  *leases(): Generator<{ id: string; ttlSeconds: number }> {
    for (const { key, value } of this.#db.getRange({ start: Buffer.from('l'), end: Buffer.from('m') }))
      yield { id: key.toString('utf8', 1), ttlSeconds: Number(value.toString()) };
  }

  leaseKeys(id: string): string[] {
    const start = attachedKey(id, '');
    const end = Buffer.from(start);
    end[end.length - 1] = '/'.charCodeAt(0) + 1;
    return [...this.#db.getKeys({ start, end })].map((key) => key.toString('utf8', start.length));
  }

  snapshot(): Snapshot {
    this.#db.resetReadTxn();
    // biome-ignore lint/correctness/useHookAtTopLevel: lmdb's name, not a hook of React
    const transaction = this.#db.useReadTransaction();
    return { transaction, done: () => transaction.done() };
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

  close(): Promise<void> {
    return this.#db.close();
  }

  #get(key: Buffer, snapshot?: Snapshot): Buffer | undefined {
    return this.#db.get(key, snapshot ? { transaction: snapshot.transaction } : undefined);
  }
}
