import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { IPAddress } from '../api/types/networking.v1.gen.ts';
import { StatusError } from '../apimachinery/status-error.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { AdmissionStep } from '../sdk/admission.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, type UserInfo } from '../sdk/user.ts';
import { AdmissionMetrics } from './admission/admission-metrics.ts';
import { deviceSelectorHooks } from './admission/device-selector-hooks.ts';
import { DynamicAdmission } from './admission/dynamic-admission.ts';
import { expressionHooks } from './admission/expression-hooks.ts';
import { type ApiServerOptions, DEFAULT_LIMITS } from './api-server-options.ts';
import {
  type BootstrapStep,
  defaultServiceCidr,
  kubernetesService,
  systemNamespaces,
  systemPriorityClasses,
} from './bootstrap/bootstrap-objects.ts';
import { customResourceDefinitionHooks } from './custom-resources/crd-hooks.ts';
import { CustomResources } from './custom-resources/custom-resources.ts';
import { DiscoveryDocuments } from './discovery/discovery-documents.ts';
import { addDiscoveryRoutes } from './discovery/discovery-routes.ts';
import { addIndexRoute } from './discovery/index-route.ts';
import { addVersionRoute, versionInfo } from './discovery/version-route.ts';
import { ConfigurationObjects } from './flow-control/configuration-objects.ts';
import { flowControlMetrics } from './flow-control/flow-control-metrics.ts';
import { addFlowControlRoutes } from './flow-control/flow-control-routes.ts';
import { PriorityAndFairness } from './flow-control/priority-and-fairness.ts';
import { connectionMetrics } from './health/connection-metrics.ts';
import { HealthChecks } from './health/health-checks.ts';
import { HealthMetrics } from './health/health-metrics.ts';
import { addHealthRoutes } from './health/health-routes.ts';
import { RequestMetrics } from './health/request-metrics.ts';
import { addMetricsRoute } from './health/server-metrics.ts';
import { StoreMetrics } from './health/store-metrics.ts';
import { createHttpHandler } from './http/http-handler.ts';
import { HttpListener, type TlsMaterial } from './http/http-listener.ts';
import { protobufSource } from './http/protobuf.ts';
import { InProcessTransport } from './in-process-transport.ts';
import { ObjectReader } from './object-reader.ts';
import { addOpenApiRoutes } from './openapi/openapi-routes.ts';
import { certificateHooks } from './registry/certificates/certificate-hooks.ts';
import type { ComponentCheck } from './registry/component-statuses.ts';
import { namespaceHooks } from './registry/namespaces/namespace-hooks.ts';
import { ObjectStorage } from './registry/object-storage.ts';
import type { RegistryServices } from './registry/registry-services.ts';
import { addResourceHandlers } from './registry/resource-handlers.ts';
import type { ResourceHooks } from './registry/resource-hooks.ts';
import { serveResource } from './registry/resource-operations.ts';
import { IPAddressObjects } from './registry/services/ip-address-objects.ts';
import { ServiceAllocator } from './registry/services/service-allocator.ts';
import { ServiceRanges } from './registry/services/service-ranges.ts';
import { tooManyRequestsText } from './request/plain-text-error.ts';
import { RequestChain } from './request/request-chain.ts';
import type { RequestContext } from './request/request-context.ts';
import { RequestRouter } from './request/request-router.ts';
import { Compactor } from './watch-cache/compactor.ts';
import { WatchCache } from './watch-cache/watch-cache.ts';
import { LazyWebhookClient } from './webhooks/lazy-webhook-client.ts';

export interface ApiServer {
  /** Resolves when `/readyz` is 200: the server answers, and what it and its `bootstrap` steps promise is there. */
  start(): Promise<void>;
  /** Watches end, answers on their way are finished, nothing is left behind. The store stays open. */
  stop(): Promise<void>;
  /** Where it listens; undefined before `start`, or without `listen`. */
  readonly address: AddressInfo | undefined;
  /** The API in the process, as `user`. `userAgent` is the field manager of its writes. */
  transport(user: UserInfo, userAgent?: string): Transport;
  /** For parts that add paths, subresources or API groups. */
  readonly router: RequestRouter;
  readonly discovery: DiscoveryDocuments;
  readonly health: HealthChecks;
  /** Behind the deprecated ComponentStatus, by component name. */
  readonly componentChecks: Map<string, ComponentCheck>;
  readonly reader: ObjectReader;
  /** For handlers that work on stored objects. */
  readonly services: RegistryServices;
  readonly hooks: Map<string, ResourceHooks>;
  /** New connections get the new certificate. */
  renewCertificate(tls: TlsMaterial): void;
}

/** Who the server itself acts as. */
export const API_SERVER_USER: UserInfo = { name: 'system:apiserver', groups: [SYSTEM_MASTERS, SYSTEM_AUTHENTICATED] };

const DEFAULT_SERVICE_CIDRS = ['10.96.0.0/16'];
/** What waits for whoever reads the log. */
const MAX_UNLOGGED_BYTES = 1024 * 1024;
/** While the server stops. */
const WATCH_SWEEP_MS = 50;
const DEFAULT_NODE_PORTS = { from: 30_000, to: 32_767 };

const none: readonly AdmissionStep[] = [];
const noSteps = () => none;

export function createApiServer(options: ApiServerOptions): ApiServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const now = options.now ?? Date.now;
  const { kinds, logger } = options;
  const storeMetrics = new StoreMetrics();
  const store = storeMetrics.measured(options.store);
  const transformer = options.transformer ? { transformer: options.transformer } : {};
  const cache = new WatchCache({ store, logger, ...transformer });
  const storage = new ObjectStorage({ store, cache, ...transformer });
  const compactor = new Compactor({ store, cache, logger, intervalMs: limits.compactionIntervalMs });
  const reader = new ObjectReader(kinds, cache);
  const authentication = options.authentication(reader);
  const authorization = options.authorization(reader);
  const transport = (user: UserInfo, userAgent = 'k8ts') =>
    new InProcessTransport(
      async (request) => {
        if (stopped)
          throw new StatusError({ code: 503, reason: 'ServiceUnavailable', message: 'the API server has stopped' });
        return chain.handle(request);
      },
      user,
      userAgent,
    );
  const webhooks = new LazyWebhookClient(reader);
  const admissionMetrics = new AdmissionMetrics();
  const dynamicAdmission = new DynamicAdmission({
    kinds,
    reader,
    authorizer: authorization,
    webhooks: () => webhooks.get(),
    transport: transport(API_SERVER_USER, 'kube-apiserver'),
    logger,
    disabled: options.disabledAdmission,
    metrics: admissionMetrics,
  });
  const metrics = new RequestMetrics();
  const staticSteps = options.admission?.(reader, transport) ?? noSteps;
  const admission = () => dynamicAdmission.extend(staticSteps());

  const serviceRanges = new ServiceRanges(options.serviceCIDRs ?? DEFAULT_SERVICE_CIDRS);
  const addressObjects = new IPAddressObjects({ kinds, storage, logger, now });
  const allocator = new ServiceAllocator(serviceRanges, options.nodePorts ?? DEFAULT_NODE_PORTS, addressObjects);
  cache.resource('networking.k8s.io', 'servicecidrs').listen(serviceRanges);
  cache.resource('networking.k8s.io', 'ipaddresses').listen(allocator.addresses);
  cache.resource('', 'services').listen(allocator);
  const hooks = new Map<string, ResourceHooks>([
    ['/services', allocator],
    ['/namespaces', namespaceHooks],
    ['certificates.k8s.io/certificatesigningrequests', certificateHooks],
    ['apiextensions.k8s.io/customresourcedefinitions', customResourceDefinitionHooks],
    ...expressionHooks(),
    ...deviceSelectorHooks(),
  ]);
  const services: RegistryServices = {
    kinds,
    storage,
    cache,
    admission,
    admissionMetrics,
    authorization,
    hooks,
    logger,
    now,
  };
  const router = new RequestRouter(kinds, (context, definition) => serveResource(services, context, definition));
  let stopping = false;
  let ending = false;
  let stopped = false;
  const flowControl = new PriorityAndFairness({
    totalSeats: limits.readOnlyInFlight + limits.mutatingInFlight,
    queueTimeoutMs: limits.requestTimeoutMs / 4,
    stored(group, resource) {
      const { size: count, averageBytes } = cache.resource(group, resource);
      return { count, averageBytes };
    },
  });
  const chain = new RequestChain({
    authentication,
    authorization,
    audit: options.audit,
    limits: { readOnly: limits.readOnlyInFlight, mutating: limits.mutatingInFlight },
    flowControl,
    metrics,
    requestTimeoutMs: limits.requestTimeoutMs,
    handle(context) {
      // A watch that begins now would only be cut off.
      if (ending && !context.inProcess && (limits.shutdownSendRetryAfter ? !isHealth(context) : isWatch(context)))
        throw tooManyRequestsText(
          limits.shutdownSendRetryAfter ? 5 : 1,
          'The apiserver is shutting down, please try again later.',
        );
      return router.route(context);
    },
  });
  const flowObjects = new ConfigurationObjects({
    services,
    reader,
    transport: transport(API_SERVER_USER, 'api-priority-and-fairness-config-producer-v1'),
  });
  const customResources = new CustomResources({
    kinds,
    services,
    router,
    reader,
    transport: transport(API_SERVER_USER, 'kube-apiserver'),
    webhooks: () => webhooks.get(),
    logger,
  });
  const health = new HealthChecks();
  const discovery = new DiscoveryDocuments(kinds);
  const componentChecks = new Map<string, ComponentCheck>([['etcd-0', () => void store.revision()]]);
  let listener: HttpListener | undefined;
  let address: AddressInfo | undefined;

  addResourceHandlers(router, {
    services,
    authentication,
    rulesReviewer: authorization,
    tokenRequester: options.tokenRequester?.(reader),
    componentChecks,
  });
  const protobuf = protobufSource();
  addDiscoveryRoutes(router, {
    documents: discovery,
    protobuf,
    serverAddress: () => (address ? `${advertised().address}:${advertised().port}` : ''),
  });
  addOpenApiRoutes({ router, services });
  addVersionRoute(router);
  addIndexRoute(router, discovery, health);
  const healthMetrics = new HealthMetrics();
  addHealthRoutes(router, health, logger, healthMetrics);
  addFlowControlRoutes(router, flowControl);
  addMetricsRoute({
    router,
    inFlight: chain.inFlight,
    cache,
    sources: [
      () => metrics.families(),
      router.families,
      () => healthMetrics.families(),
      () => storeMetrics.families(),
      () => connectionMetrics(() => listener),
      () => admissionMetrics.families(),
      ...(authorization.families ? [authorization.families] : []),
      () => flowControlMetrics(flowControl),
      ...(options.audit ? [options.audit.families] : []),
      ...(options.transformer?.families ? [options.transformer.families] : []),
    ],
    version: versionInfo(),
  });
  health.add('ping', () => undefined);
  health.add('log', () => {
    for (const { writableLength } of [process.stdout, process.stderr])
      refuseIf(writableLength > MAX_UNLOGGED_BYTES, 'logging blocked');
  });
  health.add('etcd', async () => void (await store.revision()));
  health.add('etcd-readiness', async () => void (await store.revision()), ['readyz']);
  let synced = false;
  health.add('informer-sync', () => refuseIf(!synced, 'not all informers are synced'), ['readyz']);

  function advertised(): { address: string; port: number } {
    const port = options.advertise?.port ?? address?.port ?? 6443;
    return { address: options.advertise?.address ?? reachableAddress(address), port };
  }

  async function listen(): Promise<void> {
    if (!options.listen) return;
    const { host = '0.0.0.0', port = 0, tls } = options.listen;
    listener = new HttpListener({
      host,
      port,
      tls,
      goawayChance: limits.goawayChance,
      onExchange: createHttpHandler({
        handle: (request) => chain.handle(request),
        protobuf,
        bodyLimit: limits.bodyBytes,
        requestTimeoutMs: limits.requestTimeoutMs,
        onWatchEvents: metrics.countWatchEvents,
        now,
        logger,
      }),
    });
    address = await listener.start();
  }

  async function bootstrap(): Promise<void> {
    const steps: BootstrapStep[] = [
      systemNamespaces,
      ...(options.bootstrap ?? []),
      systemPriorityClasses,
      flowObjects.step,
      defaultServiceCidr(options.serviceCIDRs ?? DEFAULT_SERVICE_CIDRS),
      ...(address || options.advertise
        ? [kubernetesService({ clusterIP: serviceRanges.firstAddress, ...advertised() })]
        : []),
    ];
    const pending = new Set(steps);
    for (const step of steps)
      health.add(`poststarthook/${step.name}`, () => refuseIf(pending.has(step), 'not finished'));
    health.add('shutdown', () => refuseIf(stopping, 'process is shutting down'), ['readyz']);
    const system = transport(API_SERVER_USER, 'kube-apiserver');
    // Namespaces first: the other steps put objects into them.
    for (const step of steps.slice(0, 1)) await run(step);
    await Promise.all(steps.slice(1).map(run));
    await allocator.repair(reader.list<IPAddress>('ipaddresses'));

    async function run(step: BootstrapStep) {
      await step.run(system);
      pending.delete(step);
    }
  }

  return {
    router,
    discovery,
    health,
    componentChecks,
    reader,
    services,
    hooks,
    transport,
    get address() {
      return address;
    },
    renewCertificate: (tls) => listener?.renew(tls),
    async start() {
      await cache.start();
      flowControl.follow(reader);
      flowControl.start();
      await Promise.all([customResources.start(), dynamicAdmission.start()]);
      synced = true;
      compactor.start();
      await listen();
      await bootstrap();
    },
    async stop() {
      stopping = true;
      if (limits.shutdownDelayMs > 0 && listener)
        await new Promise((resolve) => setTimeout(resolve, limits.shutdownDelayMs));
      ending = true;
      await flowObjects.stop();
      flowControl.stop();
      if (limits.shutdownSendRetryAfter && listener) {
        cache.closeWatches();
        await listener.drain(limits.shutdownGraceMs);
      }
      // Clients hear that the connection ends before their watches do: they resume on another.
      listener?.announceEnd();
      cache.closeWatches();
      // Those that were about to begin.
      const sweep = setInterval(() => cache.closeWatches(), WATCH_SWEEP_MS);
      await listener?.stop(limits.shutdownGraceMs);
      clearInterval(sweep);
      customResources.stop();
      dynamicAdmission.stop();
      await compactor.stop();
      await webhooks.close();
      stopped = true;
      await cache.stop();
    },
  };
}

const isWatch = ({ info }: RequestContext) => info.verb === 'watch';
const isHealth = ({ info }: RequestContext) => /^\/(?:healthz|livez|readyz)(?:\/|$)/.test(info.path);

function refuseIf(refused: boolean, message: string): void {
  if (refused) throw new Error(message);
}

/** Loopback is no address for an endpoint: the first other one is taken when the server listens everywhere. */
function reachableAddress(bound: AddressInfo | undefined): string {
  if (bound && bound.address !== '0.0.0.0' && bound.address !== '::') return bound.address;
  for (const interfaces of Object.values(networkInterfaces()))
    for (const { address, family, internal } of interfaces ?? []) if (!internal && family === 'IPv4') return address;
  return '127.0.0.1';
}
