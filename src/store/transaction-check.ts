import { randomBytes } from 'node:crypto';
import { type KeyValue, LeaseNotFoundError, type Transaction } from './store.ts';

export const EMPTY_VALUE = new Uint8Array();

/** Throws what makes a transaction impossible whatever the store holds. */
export function checkTransaction(transaction: Transaction, hasLease: (id: string) => boolean): void {
  const { operations } = transaction;
  for (const operation of operations) {
    if (operation.key === '') throw new Error('key is not provided');
    if (operation.type === 'put' && operation.lease !== undefined && !hasLease(operation.lease))
      throw new LeaseNotFoundError(operation.lease);
  }
  if (operations.length > 1 && new Set(operations.map((operation) => operation.key)).size < operations.length)
    throw new Error('duplicate key given in txn request');
}

/** A deletion as events show it. */
export function tombstone(key: string, modRevision: number): KeyValue {
  return { key, value: EMPTY_VALUE, createRevision: 0, modRevision, version: 0 };
}

/** etcd's form: a positive 63-bit integer in decimal. */
export function newLeaseId(): string {
  return (randomBytes(8).readBigUInt64BE() >> 1n).toString();
}
