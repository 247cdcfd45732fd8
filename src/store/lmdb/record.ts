import { crc32 } from 'node:zlib';
import type { KeyValue, StoreEvent } from '../store.ts';
import { EMPTY_VALUE, tombstone } from '../transaction-check.ts';

/*
 * Values of the database, told apart by their first byte, as database-keys.ts places them. Revisions are 48-bit integers.
 */
const REVISION_BYTES = 6;
const POINTER = 1;
const PUT = 2;
const DELETE = 3;
const META = 4;
const LEASE = 5;
const MARK = 6;

const POINTER_BYTES = 21;
const META_BYTES = 2 + 3 * REVISION_BYTES;
const RECORD_HEADER = 34;
/** Of the layout of keys and values; an older program does not open a newer store. */
const FORMAT = 1;

/** Where a key's latest record is, and what a write needs to know of it. */
export interface Pointer {
  readonly revision: number;
  /** Position within its transaction. */
  readonly index: number;
  /** 0 for a deletion. */
  readonly createRevision: number;
  readonly version: number;
  readonly lease?: string;
}

export interface Meta {
  readonly revision: number;
  readonly compactRevision: number;
  /** Records up to here that a compaction made needless are removed. */
  readonly scrubbedRevision: number;
}

/** One event. */
export interface LogRecord {
  readonly type: 'put' | 'delete';
  readonly kv: KeyValue;
  /** Of the record before on the same key; revision 0 where there is none. */
  readonly previous: { readonly revision: number; readonly index: number };
}

export interface StoredLease {
  readonly ttlSeconds: number;
}

/** `Damaged` stands for bytes that are not what was written. */
export type Stored = Pointer | LogRecord | Meta | StoredLease | typeof MARKED | typeof DAMAGED;
export const MARKED = Symbol('marked');
export const DAMAGED = Symbol('damaged');

export function encodePointer(pointer: Pointer): Buffer {
  const lease = pointer.lease ?? '';
  const bytes = Buffer.allocUnsafe(POINTER_BYTES + lease.length);
  bytes[0] = POINTER;
  bytes.writeUIntBE(pointer.revision, 1, REVISION_BYTES);
  bytes.writeUInt32BE(pointer.index, 7);
  bytes.writeUIntBE(pointer.createRevision, 11, REVISION_BYTES);
  bytes.writeUInt32BE(pointer.version, 17);
  bytes.write(lease, POINTER_BYTES, 'latin1');
  return bytes;
}

export function encodeMeta(meta: Meta): Buffer {
  const bytes = Buffer.allocUnsafe(META_BYTES);
  bytes[0] = META;
  bytes[1] = FORMAT;
  bytes.writeUIntBE(meta.revision, 2, REVISION_BYTES);
  bytes.writeUIntBE(meta.compactRevision, 8, REVISION_BYTES);
  bytes.writeUIntBE(meta.scrubbedRevision, 14, REVISION_BYTES);
  return bytes;
}

export function encodeLease(lease: StoredLease): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = LEASE;
  bytes.writeDoubleBE(lease.ttlSeconds, 1);
  return bytes;
}

/** For keys that say all. */
export function encodeMark(): Buffer {
  return Buffer.of(MARK);
}

/** With a checksum: what a disk gives back is not believed. */
export function encodeRecord(event: StoreEvent, previous: Pointer | undefined): Buffer {
  const { kv } = event;
  const lease = kv.lease ?? '';
  const keyLength = Buffer.byteLength(kv.key);
  const keyAt = RECORD_HEADER + lease.length;
  const valueAt = keyAt + keyLength;
  const bytes = Buffer.allocUnsafe(valueAt + kv.value.length);
  bytes[0] = event.type === 'put' ? PUT : DELETE;
  bytes.writeUInt32BE(0, 1);
  bytes.writeUIntBE(kv.modRevision, 5, REVISION_BYTES);
  bytes.writeUIntBE(kv.createRevision, 11, REVISION_BYTES);
  bytes.writeUInt32BE(kv.version, 17);
  bytes.writeUIntBE(previous?.revision ?? 0, 21, REVISION_BYTES);
  bytes.writeUInt32BE(previous?.index ?? 0, 27);
  bytes[31] = lease.length;
  bytes.writeUInt16BE(keyLength, 32);
  bytes.write(lease, RECORD_HEADER, 'latin1');
  bytes.write(kv.key, keyAt);
  bytes.set(kv.value, valueAt);
  bytes.writeUInt32BE(crc32(bytes), 1);
  return bytes;
}

/** `bytes` are only good until it returns; `length` of them count. */
export function decodeStored(bytes: Buffer, length: number): Stored {
  switch (bytes[0]) {
    case POINTER:
      return length < POINTER_BYTES ? DAMAGED : decodePointer(bytes, length);
    case PUT:
    case DELETE:
      return length < RECORD_HEADER ? DAMAGED : decodeRecord(copy(bytes, length));
    case META:
      return length !== META_BYTES || bytes[1] !== FORMAT ? DAMAGED : decodeMeta(bytes);
    case LEASE:
      return length < 9 ? DAMAGED : { ttlSeconds: bytes.readDoubleBE(1) };
    case MARK:
      return MARKED;
    default:
      return DAMAGED;
  }
}

function decodePointer(bytes: Buffer, length: number): Pointer {
  const revision = bytes.readUIntBE(1, REVISION_BYTES);
  const index = bytes.readUInt32BE(7);
  const createRevision = bytes.readUIntBE(11, REVISION_BYTES);
  const version = bytes.readUInt32BE(17);
  if (length === POINTER_BYTES) return { revision, index, createRevision, version };
  return { revision, index, createRevision, version, lease: bytes.toString('latin1', POINTER_BYTES, length) };
}

function decodeMeta(bytes: Buffer): Meta {
  return {
    revision: bytes.readUIntBE(2, REVISION_BYTES),
    compactRevision: bytes.readUIntBE(8, REVISION_BYTES),
    scrubbedRevision: bytes.readUIntBE(14, REVISION_BYTES),
  };
}

function decodeRecord(bytes: Buffer): LogRecord | typeof DAMAGED {
  const checksum = bytes.readUInt32BE(1);
  bytes.writeUInt32BE(0, 1);
  if (crc32(bytes) !== checksum) return DAMAGED;
  const modRevision = bytes.readUIntBE(5, REVISION_BYTES);
  const keyAt = RECORD_HEADER + (bytes[31] as number);
  const valueAt = keyAt + bytes.readUInt16BE(32);
  const key = bytes.toString('utf8', keyAt, valueAt);
  const previous = { revision: bytes.readUIntBE(21, REVISION_BYTES), index: bytes.readUInt32BE(27) };
  if (bytes[0] === DELETE) return { type: 'delete', kv: tombstone(key, modRevision), previous };
  const kv: KeyValue = {
    key,
    value: valueAt < bytes.length ? bytes.subarray(valueAt) : EMPTY_VALUE,
    createRevision: bytes.readUIntBE(11, REVISION_BYTES),
    modRevision,
    version: bytes.readUInt32BE(17),
    ...(keyAt > RECORD_HEADER ? { lease: bytes.toString('latin1', RECORD_HEADER, keyAt) } : {}),
  };
  return { type: 'put', kv, previous };
}

function copy(bytes: Buffer, length: number): Buffer {
  const result = Buffer.allocUnsafe(length);
  result.set(new Uint8Array(bytes.buffer, bytes.byteOffset, length));
  return result;
}
