import type { AddressInfo } from 'node:net';
import type { Transport } from '../apimachinery/transport.ts';
import type { UserInfo } from '../sdk/user.ts';
import { type ApiServerOptions, DEFAULT_LIMITS } from './api-server-options.ts';
import { createHttpHandler } from './http/http-handler.ts';
import { HttpListener, type TlsMaterial } from './http/http-listener.ts';
import { InProcessTransport } from './in-process-transport.ts';
import { ObjectStorage } from './registry/object-storage.ts';
import type { RegistryServices } from './registry/registry-services.ts';
import { serveResource, serveSubresource } from './registry/resource-operations.ts';
import { serveScale } from './registry/scale.ts';
import { RequestChain } from './request/request-chain.ts';
import { RequestRouter } from './request/request-router.ts';
import { WatchCache } from './watch-cache/watch-cache.ts';

export interface ApiServer {
  /** Resolves when requests are answered. */
  start(): Promise<void>;
  /** Watches end, answers on their way are finished, nothing is left behind. The store stays open. */
  stop(): Promise<void>;
  /** Where it listens; undefined before `start`, or without `listen`. */
  readonly address: AddressInfo | undefined;
  /** The API in the process, as `user`. `userAgent` is the field manager of its writes. */
  transport(user: UserInfo, userAgent?: string): Transport;
  /** For parts that add paths, subresources or API groups. */
  readonly router: RequestRouter;
  readonly services: RegistryServices;
  /** New connections get the new certificate. */
  renewCertificate(tls: TlsMaterial): void;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const now = options.now ?? Date.now;
  const { store, kinds, logger, authorization, admission = [] } = options;
  const transformer = options.transformer ? { transformer: options.transformer } : {};
  const cache = new WatchCache({ store, logger, ...transformer });
  const storage = new ObjectStorage({ store, cache, ...transformer });
  const hooks = new Map();
  const services: RegistryServices = {
    kinds,
    storage,
    cache,
    admission: typeof admission === 'function' ? admission : () => admission,
    authorization,
    hooks,
    logger,
    now,
  };
  const router = new RequestRouter(kinds, (context, definition) => serveResource(services, context, definition));
  router.addGenericSubresource('status', (context, definition) => serveSubresource(services, context, definition));
  router.addGenericSubresource('scale', (context, definition) => serveScale(services, context, definition));
  const chain = new RequestChain({
    authentication: options.authentication,
    authorization,
    audit: options.audit,
    limits: { readOnly: limits.readOnlyInFlight, mutating: limits.mutatingInFlight },
    handle: (context) => router.route(context),
  });
  const handle = chain.handle.bind(chain);
  let listener: HttpListener | undefined;
  let address: AddressInfo | undefined;

  return {
    router,
    services,
    get address() {
      return address;
    },
    transport: (user, userAgent = 'k8ts') => new InProcessTransport(handle, user, userAgent),
    renewCertificate: (tls) => listener?.renew(tls),
    async start() {
      await cache.start();
      if (options.listen) {
        const { host = '0.0.0.0', port = 0, tls } = options.listen;
        listener = new HttpListener({
          host,
          port,
          tls,
          onExchange: createHttpHandler({
            handle,
            bodyLimit: limits.bodyBytes,
            requestTimeoutMs: limits.requestTimeoutMs,
            now,
            logger,
          }),
        });
        address = await listener.start();
      }
    },
    async stop() {
      cache.closeWatches();
      await listener?.stop(limits.shutdownGraceMs);
      await cache.stop();
    },
  };
}
