/**
 * The datastore contract: etcd's semantics, whatever the backend.
 * One global revision (1 when empty) grows by one per committed transaction that writes; deleting what is not there is no
 * write. A transaction names a key at most once. Keys are ordered by their
 * bytes (UTF-16 strings of ASCII here). A write is durable (as far as the backend can be) when its promise resolves.
 */
export interface Store {
  /** The backend's name: `memory`, `lmdb`, `etcd`. */
  readonly name: string;
  /** The revision of the last committed write. */
  revision(): Promise<number>;
  /** One key, now or as it was at `revision`. Throws CompactedError. */
  get(key: string, options?: { revision?: number }): Promise<KeyValue | undefined>;
  range(request: RangeRequest): Promise<RangeResult>;
  /** All writes of a transaction share one revision, or none is done. */
  commit(transaction: Transaction): Promise<TransactionResult>;
  /**
   * Every event after `startRevision` (exclusive) on keys of `[start, end)`, in revision order, with no gap and no
   * repeat. Batches never split a revision. `onEvents` is called outside of any commit.
   */
  watch(request: WatchRequest): Watch;
  /** Forgets history up to `revision` (inclusive); later reads and watches below it throw CompactedError. */
  compact(revision: number): Promise<void>;
  grantLease(ttlSeconds: number): Promise<Lease>;
  keepLeaseAlive(id: string): Promise<void>;
  revokeLease(id: string): Promise<void>;
  /** Resolves when everything is durable and closed. Open watches end. */
  close(): Promise<void>;
}

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Count of writes since the key was created, from 1. */
  readonly version: number;
  readonly lease?: string;
}

export interface RangeRequest {
  readonly start: string;
  /** Exclusive. `prefixEnd(start)` makes a prefix range. */
  readonly end: string;
  readonly limit?: number;
  /** Read as of this revision; the current one when absent. */
  readonly revision?: number;
  readonly countOnly?: boolean;
}

export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  /** All keys in the range, whatever the limit. */
  readonly count: number;
  /** The store's revision when it was read. */
  readonly revision: number;
}

export type StoreOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: string }
  | { readonly type: 'delete'; readonly key: string };

export interface Transaction {
  /** All must hold, or nothing is written. `modRevision: 0` means: the key does not exist. */
  readonly compare: readonly { readonly key: string; readonly modRevision: number }[];
  readonly operations: readonly StoreOperation[];
}

export type TransactionResult =
  | { readonly succeeded: true; readonly revision: number }
  /** `current` holds the compared keys as they are, in order; undefined where a key does not exist. */
  | { readonly succeeded: false; readonly revision: number; readonly current: readonly (KeyValue | undefined)[] };

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  /** `delete`: key and modRevision (of the deletion) only; the value is empty. */
  readonly kv: KeyValue;
  readonly previous?: KeyValue;
}

export interface WatchRequest {
  readonly start: string;
  readonly end: string;
  /** Events with a higher revision are delivered. 0 means from now on. */
  readonly startRevision: number;
  onEvents(events: readonly StoreEvent[], revision: number): void;
  /** Revisions without events in the range, so that a quiet watch knows how far it is. */
  onProgress?(revision: number): void;
}

export interface Watch {
  /** Resolves after `close`, rejects with CompactedError or the backend's failure. */
  readonly done: Promise<void>;
  close(): void;
}

export interface Lease {
  readonly id: string;
  readonly ttlSeconds: number;
}

export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  readonly compactRevision: number;

  constructor(compactRevision: number) {
    super(`mvcc: required revision has been compacted (compact revision ${compactRevision})`);
    this.compactRevision = compactRevision;
  }
}

export class FutureRevisionError extends Error {
  override readonly name = 'FutureRevisionError';

  constructor(revision: number) {
    super(`mvcc: required revision ${revision} is a future revision`);
  }
}

export class LeaseNotFoundError extends Error {
  override readonly name = 'LeaseNotFoundError';

  constructor(id: string) {
    super(`requested lease ${id} not found`);
  }
}

/** The exclusive end of the range of all keys that begin with `prefix`. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
