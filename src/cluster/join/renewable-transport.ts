import type { Transport } from '../../apimachinery/transport.ts';

/** How long requests that are under way may go on over a connection that was replaced. */
const GRACE_MS = 5_000;

export interface RenewableTransport extends Transport {
  /** Requests from now on use a new connection; watches over the old one end soon, and whoever watches begins anew. */
  renew(): void;
}

/** A transport whose credentials change while it is in use. */
export function createRenewableTransport(open: () => Transport): RenewableTransport {
  let current = open();
  const old = new Map<NodeJS.Timeout, Transport>();
  return {
    request: (request) => current.request(request),
    watch: (request, onEvents) => current.watch(request, onEvents),
    renew() {
      const replaced = current;
      current = open();
      const timer = setTimeout(() => {
        old.delete(timer);
        void replaced.close();
      }, GRACE_MS);
      timer.unref();
      old.set(timer, replaced);
    },
    async close() {
      for (const timer of old.keys()) clearTimeout(timer);
      await Promise.all([current.close(), ...[...old.values()].map((transport) => transport.close())]);
    },
  };
}
