import type { RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { API_SERVER_USER, type ApiServer } from '../server.ts';
import { AvailabilityController } from './availability-controller.ts';
import { LocalApiServices } from './local-api-services.ts';
import { proxyRequest } from './proxy-request.ts';
import { type RemoteApiService, RemoteApiServices } from './remote-api-services.ts';
import { type FrontProxyCertificate, RemoteBackends } from './remote-backends.ts';
import { discoveredGroups } from './remote-discovery.ts';
import { RemoteOpenApi } from './remote-openapi.ts';

export interface AggregationOptions {
  /** What extension API servers know this one by; read at every request, for it is renewed. */
  frontProxyCertificate(): FrontProxyCertificate;
}

export interface Aggregation {
  /** After the server's own. */
  start(): void;
  /** Before the server's own. */
  stop(): Promise<void>;
}

/** Serves the groups and versions of APIServices through the servers behind them. To be called before the server starts. */
export function addAggregation(
  { router, discovery, reader, services: { kinds, logger, now }, transport }: ApiServer,
  { frontProxyCertificate }: AggregationOptions,
): Aggregation {
  const system = transport(API_SERVER_USER, 'kube-apiserver');
  const remote = new RemoteApiServices(reader);
  const backends = new RemoteBackends(reader, frontProxyCertificate);
  const openApi = new RemoteOpenApi(remote, backends);
  const changed = () => discovery.invalidate();
  const availability = new AvailabilityController({
    services: remote,
    reader,
    backends,
    transport: system,
    logger,
    now,
    onResources: changed,
  });
  const local = new LocalApiServices({ kinds: kinds.all(), reader, transport: system, logger });
  const inner = new WeakSet<RequestContext>();
  let unfollow: (() => void) | undefined;
  let running = false;

  discovery.addSource(() => discoveredGroups(remote.all(), (name) => availability.resourcesOf(name)));
  router.addInterceptor(intercept);

  function intercept(context: RequestContext): Promise<Result | undefined> | Result | undefined {
    const { info } = context;
    if (info.group === 'apiregistration.k8s.io') return looked(context);
    if (remote.size === 0) return undefined;
    if (info.resourceRequest) return serve(context, info.group && remote.get(info.group, info.version));
    const [root, first, second, third, ...rest] = info.path.split('/').filter((part) => part !== '');
    if (root === 'apis' && first && second && third === undefined) return serve(context, remote.get(first, second));
    if (root !== 'openapi' || first !== 'v3' || inner.has(context)) return undefined;
    if (second === undefined)
      return openApi.index(context, (own) => {
        inner.add(own);
        return router.route(own);
      });
    const [version, ...more] = rest;
    return second === 'apis' && third && version && more.length === 0
      ? serve(context, remote.get(third, version))
      : undefined;
  }

  function serve(context: RequestContext, service: RemoteApiService | '' | undefined): Result | undefined {
    return service ? proxyRequest(context, service, backends) : undefined;
  }

  /** Whoever looks at APIServices finds those of local groups; the cluster's own parts look for others. */
  async function looked({ inProcess, user }: RequestContext): Promise<undefined> {
    if (running && !local.ready && !(inProcess && user.name.startsWith('system:'))) await local.ensure();
    return undefined;
  }

  return {
    start() {
      running = true;
      unfollow = remote.follow({
        changed({ metadata }) {
          openApi.forget(metadata.name);
          availability.check(metadata.name);
          changed();
        },
        updated: changed,
        removed({ metadata }) {
          availability.forget(metadata.name);
          openApi.forget(metadata.name);
          backends.forget(metadata.name);
          changed();
        },
      });
      availability.start();
      local.start();
    },
    async stop() {
      running = false;
      unfollow?.();
      availability.stop();
      await local.stop();
      backends.close();
    },
  };
}
