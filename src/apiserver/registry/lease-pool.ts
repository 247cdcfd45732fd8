import type { Store } from '../../store/store.ts';

/** How long one lease takes in new keys; keys live up to this much longer than asked for. */
const SHARED_SECONDS = 60;

/** Leases for objects that vanish by themselves: one per minute and lifetime, not one per object. */
export class LeasePool {
  readonly #store: Store;
  readonly #current = new Map<number, { readonly id: Promise<string>; readonly until: number }>();

  constructor(store: Store) {
    this.#store = store;
  }

  async lease(ttlSeconds: number): Promise<string> {
    const now = Date.now();
    let current = this.#current.get(ttlSeconds);
    if (!current || current.until <= now) {
      const id = this.#store.grantLease(ttlSeconds + SHARED_SECONDS).then((lease) => lease.id);
      current = { id, until: now + SHARED_SECONDS * 1000 };
      this.#current.set(ttlSeconds, current);
      id.catch(() => this.#current.delete(ttlSeconds));
    }
    return current.id;
  }
}
