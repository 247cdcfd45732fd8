import { type KubeObject, objectKey } from '../../apimachinery/meta.ts';
import type { Informer } from '../../client/informer.ts';
import type { ObjectChange } from './controller.ts';

/**
 * Remembers what a controller wrote until its cache shows it. A controller that decides from the cache alone would
 * otherwise write the same again.
 */
export interface OwnWrites<T extends KubeObject> {
  wrote(key: string, object: T): void;
  deleted(key: string, object: T): void;
  /** The object was seen to go: what was written of it will not be seen any more. */
  gone(object: T): void;
  /** Some write on behalf of `key` is not in the cache yet; its event is still to come. */
  pending(key: string): boolean;
  forget(key: string): void;
}

/** The cache has to show a write by then; an object that someone else deleted at once never would. */
const PATIENCE_MS = 5_000;

interface Expected {
  readonly objectKey: string;
  readonly uid: string | undefined;
  /** Absent for a deletion. */
  readonly version?: bigint;
  readonly until: number;
}

export function createOwnWrites<T extends KubeObject>(informer: Informer<T>): OwnWrites<T> {
  const expected = new Map<string, Map<string, Expected>>();

  function expect(key: string, object: T, version?: bigint): void {
    let writes = expected.get(key);
    if (!writes) {
      writes = new Map();
      expected.set(key, writes);
    }
    const name = objectKey(object);
    writes.set(name, { objectKey: name, uid: object.metadata.uid, version, until: performance.now() + PATIENCE_MS });
  }
  function seen({ objectKey: name, uid, version }: Expected): boolean {
    const object = informer.get(name);
    if (version === undefined) return object === undefined || object.metadata.uid !== uid || isDeleting(object);
    return object !== undefined && (object.metadata.uid !== uid || versionOf(object) >= version);
  }

  return {
    wrote: (key, object) => expect(key, object, versionOf(object)),
    deleted: (key, object) => expect(key, object),
    gone(object) {
      const name = objectKey(object);
      for (const writes of expected.values()) if (writes.get(name)?.uid === object.metadata.uid) writes.delete(name);
    },
    pending(key) {
      const writes = expected.get(key);
      if (!writes) return false;
      for (const [name, write] of writes) if (seen(write) || performance.now() > write.until) writes.delete(name);
      if (writes.size > 0) return true;
      expected.delete(key);
      return false;
    },
    forget: (key) => void expected.delete(key),
  };
}

/** For `observe` of the watch that shows the objects written. */
export function noteGone<T extends KubeObject>(writes: OwnWrites<T>) {
  return ({ type, object }: ObjectChange<T>): void => {
    if (type === 'delete') writes.gone(object);
  };
}

const isDeleting = (object: KubeObject) => object.metadata.deletionTimestamp !== undefined;

function versionOf(object: KubeObject): bigint {
  const version = object.metadata.resourceVersion ?? '0';
  return /^\d+$/.test(version) ? BigInt(version) : 0n;
}
