/*
 * One ordered space of keys:
 *   a<lease>/<key>     MARK for a key that ends with the lease
 *   k<key>             Pointer to the record of a key that exists
 *   l<lease>           a lease
 *   m                  Meta
 *   r<revision><index> the record of an event, in fixed-width hexadecimal
 *   t<key>             Pointer to the record of a deletion, until that is compacted
 */
const REVISION_DIGITS = 12;
const INDEX_DIGITS = 6;

export const META_KEY = 'm';
/** Every key there is, for a range. */
export const ALL_KEYS = { start: 'a', end: 'z' };
export const LEASE_KEYS = { start: 'l', end: 'm' };
export const AFTER_RECORDS = 's';

export function liveKey(key: string): string {
  return `k${key}`;
}

export function deletedKey(key: string): string {
  return `t${key}`;
}

export function leaseKey(id: string): string {
  return `l${id}`;
}

/** With an empty `key`: where a lease's keys begin. */
export function attachedKey(id: string, key: string): string {
  return `a${id}/${key}`;
}

export function recordKey(revision: number, index: number): string {
  return `r${hexadecimal(revision, REVISION_DIGITS)}${hexadecimal(index, INDEX_DIGITS)}`;
}

export function recordPosition(key: string): { revision: number; index: number } {
  return {
    revision: Number.parseInt(key.slice(1, 1 + REVISION_DIGITS), 16),
    index: Number.parseInt(key.slice(1 + REVISION_DIGITS), 16),
  };
}

function hexadecimal(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** How lmdb writes and reads keys: as UTF-8, which keeps the order of ASCII. */
export const keyEncoder = {
  writeKey(key: string, target: Buffer, start: number): number {
    return start + target.write(key, start);
  },
  readKey(target: Buffer, start: number, end: number): string {
    return target.toString('utf8', start, end);
  },
};
