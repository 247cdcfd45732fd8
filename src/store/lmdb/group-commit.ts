import type { KeyValue, StoreEvent } from '../store.ts';
import type { Database, Write } from './database.ts';
import { attachedKey, deletedKey, liveKey, META_KEY, recordKey } from './database-keys.ts';
import { encodeMark, encodeMeta, encodePointer, encodeRecord, type Meta, type Pointer } from './record.ts';

/** LMDB's, less the byte that tells the kinds of keys apart and a lease's id. */
export const MAX_KEY_BYTES = 1900;
/** What one batch may hold, so that preparing it does not hold up the event loop. */
const MAX_BATCH_OPERATIONS = 512;

/** One caller's part of a batch. */
export interface Unit {
  /** How much it adds; 0 or more. */
  readonly operations: number;
  /** Begins a batch: what it reads must be durable already. */
  readonly alone?: boolean;
  /** Adds its writes to the batch, all of them or, when it throws, none; what it returns runs once they are durable. */
  prepare(batch: Batch): () => void;
  reject(error: unknown): void;
}

interface KeyState {
  readonly pointer: Pointer | undefined;
  readonly deletion: Pointer | undefined;
  readonly kv?: KeyValue;
}

/** Writes that are prepared against what the store holds and what the batch holds so far. */
export class Batch {
  readonly writes: Write[] = [];
  readonly events: StoreEvent[] = [];
  readonly #database: Database;
  readonly #states = new Map<string, KeyState>();
  meta: Meta;

  constructor(database: Database, meta: Meta) {
    this.#database = database;
    this.meta = meta;
  }

  modRevision(key: string): number {
    return this.#state(key).pointer?.revision ?? 0;
  }

  get(key: string): KeyValue | undefined {
    const { kv, pointer } = this.#state(key);
    return kv ?? (pointer && this.#database.record(pointer)?.kv);
  }

  put(kv: KeyValue, previous: KeyValue | undefined, index: number): void {
    const state = this.#state(kv.key);
    const pointer: Pointer = {
      revision: kv.modRevision,
      index,
      createRevision: kv.createRevision,
      version: kv.version,
      ...(kv.lease === undefined ? {} : { lease: kv.lease }),
    };
    this.#record(previous ? { type: 'put', kv, previous } : { type: 'put', kv }, index, state);
    this.writes.push({ key: liveKey(kv.key), value: encodePointer(pointer) });
    if (state.deletion) this.writes.push({ key: deletedKey(kv.key), value: undefined });
    if (kv.lease !== state.pointer?.lease) this.#detach(kv.key, state.pointer);
    if (kv.lease !== undefined) this.writes.push({ key: attachedKey(kv.lease, kv.key), value: encodeMark() });
    this.#states.set(kv.key, { pointer, deletion: undefined, kv });
  }

  delete(kv: KeyValue, previous: KeyValue, index: number): void {
    const state = this.#state(kv.key);
    const deletion: Pointer = { revision: kv.modRevision, index, createRevision: 0, version: 0 };
    this.#record({ type: 'delete', kv, previous }, index, state);
    this.writes.push({ key: liveKey(kv.key), value: undefined });
    this.writes.push({ key: deletedKey(kv.key), value: encodePointer(deletion) });
    this.#detach(kv.key, state.pointer);
    this.#states.set(kv.key, { pointer: undefined, deletion });
  }

  #record(event: StoreEvent, index: number, state: KeyState): void {
    const value = encodeRecord(event, state.pointer ?? state.deletion);
    this.writes.push({ key: recordKey(event.kv.modRevision, index), value });
    this.events.push(event);
  }

  #detach(key: string, pointer: Pointer | undefined): void {
    if (pointer?.lease !== undefined) this.writes.push({ key: attachedKey(pointer.lease, key), value: undefined });
  }

  #state(key: string): KeyState {
    const known = this.#states.get(key);
    if (known) return known;
    const pointer = this.#database.pointer(key);
    const state = { pointer, deletion: pointer ? undefined : this.#database.deletion(key) };
    this.#states.set(key, state);
    return state;
  }
}

/**
 * The one writer: whatever is asked for while a batch is on its way to the disk goes into the next one, as one
 * transaction and one sync.
 */
export class GroupCommit {
  readonly #database: Database;
  readonly #durable: (events: readonly StoreEvent[], meta: Meta) => void;
  #queue: Unit[] = [];
  #running: Promise<void> | undefined;
  #meta: Meta;

  constructor(database: Database, durable: (events: readonly StoreEvent[], meta: Meta) => void) {
    this.#database = database;
    this.#durable = durable;
    this.#meta = database.meta();
  }

  get meta(): Meta {
    return this.#meta;
  }

  add(unit: Unit): void {
    this.#queue.push(unit);
    // Not at once: what else this turn of the event loop asks for comes along.
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
  }

  #take(): Unit[] {
    let operations = 0;
    let size = 0;
    for (const unit of this.#queue) {
      if (size > 0 && (unit.alone || operations + unit.operations > MAX_BATCH_OPERATIONS)) break;
      operations += unit.operations;
      size++;
    }
    const units = this.#queue;
    this.#queue = units.splice(size);
    return units;
  }

  async #commit(units: readonly Unit[]): Promise<void> {
    const batch = new Batch(this.#database, this.#meta);
    const prepared: { unit: Unit; done: () => void }[] = [];
    for (const unit of units) {
      try {
        prepared.push({ unit, done: unit.prepare(batch) });
      } catch (error) {
        unit.reject(error);
      }
    }
    try {
      if (batch.meta !== this.#meta) batch.writes.push({ key: META_KEY, value: encodeMeta(batch.meta) });
      if (batch.writes.length > 0) await this.#database.write(batch.writes);
    } catch (error) {
      // Should the failure have come after the point of no return, what is there now counts.
      if (this.#database.meta().revision === batch.meta.revision) this.#took(batch);
      for (const { unit } of prepared) unit.reject(error);
      return;
    }
    this.#took(batch);
    for (const { done } of prepared) done();
  }

  #took(batch: Batch): void {
    this.#meta = batch.meta;
    if (batch.events.length > 0) this.#durable(batch.events, batch.meta);
  }
}
