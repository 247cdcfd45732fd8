import { crc32 } from 'node:zlib';
import type { KeyValue, StoreEvent } from '../store.ts';
import { EMPTY_VALUE, tombstone } from '../transaction-check.ts';

/*
 * One ordered space of keys, told apart by their first byte:
 *   m              Meta
 *   k<key>         Pointer to the record of a key that exists
 *   t<key>         Pointer to the record of its deletion, until that is compacted
 *   l<lease>       a lease's TTL
 *   a<lease>/<key> a key that ends with the lease
 *   r<rev><index>  Record: one event
 */
const REVISION_BYTES = 6;
const RECORD_HEADER = 28;
const PUT = 1;

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

export interface LogRecord {
  readonly type: 'put' | 'delete';
  readonly kv: KeyValue;
  /** Of the record before on the same key; revision 0 where there is none. */
  readonly previous: { readonly revision: number; readonly index: number };
}

export const META_KEY = Buffer.from('m');
export const FORMAT = 1;

export function liveKey(key: string): Buffer {
  return Buffer.from(`k${key}`);
}

export function deletedKey(key: string): Buffer {
  return Buffer.from(`t${key}`);
}

export function leaseKey(id: string): Buffer {
  return Buffer.from(`l${id}`);
}

/** With an empty `key`: where a lease's keys begin. */
export function attachedKey(id: string, key: string): Buffer {
  return Buffer.from(`a${id}/${key}`);
}

export function recordKey(revision: number, index: number): Buffer {
  const bytes = Buffer.allocUnsafe(1 + REVISION_BYTES + 4);
  bytes[0] = 0x72;
  bytes.writeUIntBE(revision, 1, REVISION_BYTES);
  bytes.writeUInt32BE(index, 1 + REVISION_BYTES);
  return bytes;
}

export function recordKeyRevision(bytes: Buffer): number {
  return bytes.readUIntBE(1, REVISION_BYTES);
}

export function recordKeyIndex(bytes: Buffer): number {
  return bytes.readUInt32BE(1 + REVISION_BYTES);
}

export function encodePointer(pointer: Pointer): Buffer {
  const lease = pointer.lease ?? '';
  const bytes = Buffer.allocUnsafe(20 + lease.length);
  bytes.writeUIntBE(pointer.revision, 0, REVISION_BYTES);
  bytes.writeUInt32BE(pointer.index, 6);
  bytes.writeUIntBE(pointer.createRevision, 10, REVISION_BYTES);
  bytes.writeUInt32BE(pointer.version, 16);
  bytes.write(lease, 20, 'latin1');
  return bytes;
}

export function decodePointer(bytes: Buffer): Pointer {
  return {
    revision: bytes.readUIntBE(0, REVISION_BYTES),
    index: bytes.readUInt32BE(6),
    createRevision: bytes.readUIntBE(10, REVISION_BYTES),
    version: bytes.readUInt32BE(16),
    ...(bytes.length > 20 ? { lease: bytes.toString('latin1', 20) } : {}),
  };
}

export function encodeMeta(meta: Meta): Buffer {
  const bytes = Buffer.allocUnsafe(1 + 3 * REVISION_BYTES);
  bytes[0] = FORMAT;
  bytes.writeUIntBE(meta.revision, 1, REVISION_BYTES);
  bytes.writeUIntBE(meta.compactRevision, 7, REVISION_BYTES);
  bytes.writeUIntBE(meta.scrubbedRevision, 13, REVISION_BYTES);
  return bytes;
}

/** Undefined when it isn't one of this format. */
export function decodeMeta(bytes: Buffer): Meta | undefined {
  if (bytes[0] !== FORMAT || bytes.length !== 1 + 3 * REVISION_BYTES) return undefined;
  return {
    revision: bytes.readUIntBE(1, REVISION_BYTES),
    compactRevision: bytes.readUIntBE(7, REVISION_BYTES),
    scrubbedRevision: bytes.readUIntBE(13, REVISION_BYTES),
  };
}

/** A checksum first: what a disk gives back is not believed. */
export function encodeRecord(event: StoreEvent, previous: Pointer | undefined): Buffer {
  const { kv } = event;
  const key = Buffer.from(kv.key);
  const lease = kv.lease ?? '';
  const valueAt = RECORD_HEADER + lease.length + key.length;
  const bytes = Buffer.allocUnsafe(valueAt + kv.value.length);
  bytes[4] = event.type === 'put' ? PUT : 2;
  bytes.writeUIntBE(kv.createRevision, 5, REVISION_BYTES);
  bytes.writeUInt32BE(kv.version, 11);
  bytes.writeUIntBE(previous?.revision ?? 0, 15, REVISION_BYTES);
  bytes.writeUInt32BE(previous?.index ?? 0, 21);
  bytes[25] = lease.length;
  bytes.writeUInt16BE(key.length, 26);
  bytes.write(lease, RECORD_HEADER, 'latin1');
  key.copy(bytes, RECORD_HEADER + lease.length);
  bytes.set(kv.value, valueAt);
  bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** Undefined when the bytes are not what was written. */
export function decodeRecord(bytes: Buffer, modRevision: number): LogRecord | undefined {
  if (bytes.length < RECORD_HEADER || bytes.readUInt32BE(0) !== crc32(bytes.subarray(4))) return undefined;
  const keyAt = RECORD_HEADER + (bytes[25] as number);
  const valueAt = keyAt + bytes.readUInt16BE(26);
  const key = bytes.toString('utf8', keyAt, valueAt);
  const previous = { revision: bytes.readUIntBE(15, REVISION_BYTES), index: bytes.readUInt32BE(21) };
  if (bytes[4] !== PUT) return { type: 'delete', kv: tombstone(key, modRevision), previous };
  const kv: KeyValue = {
    key,
    value: valueAt < bytes.length ? bytes.subarray(valueAt) : EMPTY_VALUE,
    createRevision: bytes.readUIntBE(5, REVISION_BYTES),
    modRevision,
    version: bytes.readUInt32BE(11),
    ...(keyAt > RECORD_HEADER ? { lease: bytes.toString('latin1', RECORD_HEADER, keyAt) } : {}),
  };
  return { type: 'put', kv, previous };
}
