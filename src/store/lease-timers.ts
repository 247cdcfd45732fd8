import { LeaseNotFoundError } from './store.ts';

/** setTimeout's longest. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Leases of an embedded store: each runs out `ttlSeconds` after it was granted or last kept alive. */
export class LeaseTimers {
  readonly #leases = new Map<string, { readonly ttlSeconds: number; deadline: number; timer?: NodeJS.Timeout }>();
  readonly #expired: (id: string) => void;

  constructor(expired: (id: string) => void) {
    this.#expired = expired;
  }

  has(id: string): boolean {
    return this.#leases.has(id);
  }

  start(id: string, ttlSeconds: number): void {
    this.stop(id);
    this.#leases.set(id, { ttlSeconds, deadline: 0 });
    this.keepAlive(id);
  }

  /** Throws LeaseNotFoundError. */
  keepAlive(id: string): void {
    const lease = this.#leases.get(id);
    if (!lease) throw new LeaseNotFoundError(id);
    lease.deadline = performance.now() + lease.ttlSeconds * 1000;
    if (!lease.timer) this.#arm(id);
  }

  stop(id: string): void {
    clearTimeout(this.#leases.get(id)?.timer);
    this.#leases.delete(id);
  }

  close(): void {
    for (const id of [...this.#leases.keys()]) this.stop(id);
  }

  #arm(id: string): void {
    const lease = this.#leases.get(id);
    if (!lease) return;
    const remaining = lease.deadline - performance.now();
    lease.timer = setTimeout(
      () => {
        lease.timer = undefined;
        if (performance.now() < lease.deadline) this.#arm(id);
        else this.#expired(id);
      },
      Math.min(Math.max(remaining, 1), MAX_TIMEOUT_MS),
    );
    lease.timer.unref();
  }
}
