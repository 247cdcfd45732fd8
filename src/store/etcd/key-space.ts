import type { KeyValue } from '../store.ts';
import { EMPTY_VALUE } from '../transaction-check.ts';
import type { EtcdKeyValue } from './messages.ts';

/** The store's keys within etcd's: behind a prefix, so that several clusters can share one etcd. */
export class KeySpace {
  readonly #prefix: string;
  readonly #prefixBytes: number;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#prefixBytes = Buffer.byteLength(prefix);
  }

  encode(key: string): Buffer {
    return Buffer.from(this.#prefix + key);
  }

  decode(kv: EtcdKeyValue): KeyValue {
    return {
      key: kv.key.toString('utf8', this.#prefixBytes),
      value: kv.value.length > 0 ? kv.value : EMPTY_VALUE,
      createRevision: Number(kv.create_revision),
      modRevision: Number(kv.mod_revision),
      version: Number(kv.version),
      ...(kv.lease === '0' ? {} : { lease: kv.lease }),
    };
  }
}
