/**
 * How values are kept from those who can read the datastore. `key` is the store key: where the cipher can, it is bound to
 * the value, so that one object's value does not pass for another's. Failures are thrown with Kubernetes' words.
 */
export interface ValueCipher {
  /** What its values begin with, and those of no other cipher of a configuration; '' for plain ones. */
  readonly prefix: string;
  /** `prefix` and the encrypted value. */
  seal(plain: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  /** `sealed` comes without the prefix. */
  open(sealed: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  /** Whether `sealed`, without the prefix, is as `seal` would make it now; true when absent. */
  isCurrent?(sealed: Uint8Array): boolean;
}

/** All values of encryption begin so. */
export const ENCRYPTED = 'k8s:enc:';

export const identity: ValueCipher = {
  prefix: '',
  seal: (plain) => plain,
  open(sealed) {
    if (startsWith(sealed, ENCRYPTED)) throw new Error('identity transformer tried to read encrypted data');
    return sealed;
  },
};

export function startsWith(value: Uint8Array, prefix: string): boolean {
  if (value.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (value[at] !== prefix.charCodeAt(at)) return false;
  return true;
}
