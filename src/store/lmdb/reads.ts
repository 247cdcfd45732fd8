import { CompactedError, type KeyValue, type RangeRequest, type RangeResult, type StoreEvent } from '../store.ts';
import type { DeliverEvents, KeyRange, WatchHistory } from '../watch-hub.ts';
import type { Database, Snapshot } from './database.ts';
import type { Pointer } from './record.ts';
import { corruptStore } from './store-failure.ts';

/** How long a read goes on before it lets others have the event loop. */
const SLICE_MS = 5;
const SLICE_KEYS = 32;

/** Lets the event loop turn when its slice is used up. */
class Slice {
  #until = performance.now() + SLICE_MS;
  #left = SLICE_KEYS;

  /** Undefined while there is time left. */
  tick(): Promise<void> | undefined {
    if (--this.#left > 0) return undefined;
    this.#left = SLICE_KEYS;
    if (performance.now() < this.#until) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#until = performance.now() + SLICE_MS;
        resolve();
      });
    });
  }
}

export function readCurrent(database: Database, key: string): KeyValue | undefined {
  const pointer = database.pointer(key);
  return pointer && kvAt(database, pointer);
}

/** The key as it was at `revision`, which is not compacted. */
export function readPast(database: Database, key: string, revision: number): KeyValue | undefined {
  const pointer = database.pointer(key) ?? database.deletion(key);
  return pointer && resolve(database, pointer, revision);
}

export async function readRange(database: Database, request: RangeRequest): Promise<RangeResult> {
  const snapshot = database.snapshot();
  try {
    const { revision, compactRevision } = database.meta(snapshot);
    if (request.revision && request.revision < compactRevision) throw new CompactedError(compactRevision);
    if (request.revision && request.revision < revision)
      return await pastRange(database, request, request.revision, revision, snapshot);
    const limit = request.countOnly ? 0 : request.limit || Number.POSITIVE_INFINITY;
    const kvs: KeyValue[] = [];
    let more = false;
    if (limit > 0) {
      const slice = new Slice();
      for (const [, pointer] of database.pointers('live', request.start, request.end, snapshot)) {
        if (kvs.length === limit) {
          more = true;
          break;
        }
        kvs.push(kvAt(database, pointer, snapshot));
        const pause = slice.tick();
        if (pause) await pause;
      }
    }
    const count = more || request.countOnly ? database.count(request.start, request.end, snapshot) : kvs.length;
    return { kvs, more, count, revision };
  } finally {
    snapshot.done();
  }
}

async function pastRange(
  database: Database,
  request: RangeRequest,
  revision: number,
  now: number,
  snapshot: Snapshot,
): Promise<RangeResult> {
  const slice = new Slice();
  const found: { key: string; at: Pointer | KeyValue }[] = [];
  let resorted = false;
  for (const which of ['live', 'deleted'] as const) {
    for (const [key, pointer] of database.pointers(which, request.start, request.end, snapshot)) {
      const at =
        pointer.revision > revision
          ? resolve(database, pointer, revision, snapshot)
          : which === 'live'
            ? pointer
            : undefined;
      if (at) {
        found.push({ key, at });
        resorted ||= which === 'deleted';
      }
      const pause = slice.tick();
      if (pause) await pause;
    }
  }
  if (resorted) found.sort((a, b) => (a.key < b.key ? -1 : 1));
  const kvs: KeyValue[] = [];
  for (const { at } of request.countOnly ? [] : found.slice(0, request.limit || undefined)) {
    kvs.push('key' in at ? at : kvAt(database, at, snapshot));
    const pause = slice.tick();
    if (pause) await pause;
  }
  return { kvs, more: !request.countOnly && kvs.length < found.length, count: found.length, revision: now };
}

/** Follows a key's records back to what it was at `revision`. */
function resolve(database: Database, pointer: Pointer, revision: number, snapshot?: Snapshot): KeyValue | undefined {
  let at: { revision: number; index: number } = pointer;
  while (at.revision > 0) {
    const record = database.record(at, snapshot);
    if (!record) return undefined;
    if (at.revision <= revision) return record.type === 'put' ? record.kv : undefined;
    at = record.previous;
  }
  return undefined;
}

function kvAt(database: Database, pointer: Pointer, snapshot?: Snapshot): KeyValue {
  const record = database.record(pointer, snapshot);
  if (!record) throw corruptStore(database.path, `the record of revision ${pointer.revision} is missing`);
  return record.kv;
}

/** The records after a revision, for watches that start in the past. */
export class RecordHistory implements WatchHistory {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get compactRevision(): number {
    return this.#database.meta().compactRevision;
  }

  async read(after: number, upTo: number, range: KeyRange, deliver: DeliverEvents): Promise<void> {
    let position: number | undefined = after;
    while (position !== undefined && position < upTo) {
      position = this.#readSlice(position, upTo, range, deliver);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Delivers what fits into a slice; returns how far it came, undefined when delivery stopped. */
  #readSlice(after: number, upTo: number, range: KeyRange, deliver: DeliverEvents): number | undefined {
    const snapshot = this.#database.snapshot();
    const until = performance.now() + SLICE_MS;
    const batch: StoreEvent[] = [];
    let position = upTo;
    try {
      const { compactRevision } = this.#database.meta(snapshot);
      if (after < compactRevision) throw new CompactedError(compactRevision);
      let last = after;
      for (const at of this.#database.positions(after, snapshot)) {
        const { revision } = at;
        if (revision > upTo) break;
        if (revision > last) {
          if (last > after && performance.now() > until) {
            position = revision - 1;
            break;
          }
          last = revision;
        }
        const record = this.#database.record(at, snapshot);
        if (!record || record.kv.key < range.start || record.kv.key >= range.end) continue;
        const { type, kv } = record;
        const before = record.previous.revision > 0 ? this.#database.record(record.previous, snapshot) : undefined;
        batch.push(before?.type === 'put' ? { type, kv, previous: before.kv } : { type, kv });
      }
    } finally {
      snapshot.done();
    }
    return deliver(batch, position) ? position : undefined;
  }
}
