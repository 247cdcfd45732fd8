import type { ContainerImage, Node, NodeAddress, NodeStatus } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import { Nodes } from '../../client/resource-types.gen.ts';
import { messageOf } from '../containers/container-error.ts';
import { timestamp } from '../pods/time.ts';
import type { ContainerRuntime, RuntimeInfo, RuntimeStatus } from '../runtime/container-runtime.ts';
import { type Machine, type NodeResources, systemInfo } from './machine-info.ts';
import { type NodeHealth, nodeConditions, readyProblem } from './node-conditions.ts';

const CHECK_MS = 10_000;
/** While the node is not ready somebody waits for it. */
const CHECK_UNREADY_MS = 100;
const REPORT_MS = 5 * 60_000;
const MAX_IMAGES = 50;

export interface NodeStatusOptions {
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly runtimeInfo: RuntimeInfo;
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  readonly port: number;
  readonly machine: Machine;
  readonly resources: NodeResources;
  readonly logger: Logger;
  cacheHealthy(): boolean;
  node(): Node | undefined;
}

/** Looks after the node's own health and tells it: at once when it changes, every five minutes otherwise. */
export interface NodeStatusReporter {
  /** The whole status as it is now, for registration. */
  current(): Promise<NodeStatus>;
  readonly health: NodeHealth;
  start(): void;
  /** Resolves when the API server has taken a status with Ready. */
  whenReady(signal?: AbortSignal): Promise<void>;
  stop(): void;
}

export function createNodeStatusReporter(options: NodeStatusOptions): NodeStatusReporter {
  const { client, runtime, logger } = options;
  const abort = new AbortController();
  const waiting = new Set<() => void>();
  let health: NodeHealth = { runtime: undefined, runtimeError: undefined, cacheHealthy: true };
  let timer: NodeJS.Timeout | undefined;
  let told = '';
  let toldAt = 0;
  let toldReady = false;

  async function check(): Promise<void> {
    let status: RuntimeStatus | undefined;
    let runtimeError: string | undefined;
    try {
      status = await runtime.status();
    } catch (error) {
      runtimeError = messageOf(error);
    }
    health = { runtime: status, runtimeError, cacheHealthy: options.cacheHealthy() };
  }

  async function build(): Promise<NodeStatus> {
    const now = timestamp(Date.now());
    const addresses: NodeAddress[] = [
      ...options.nodeIPs.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: options.nodeName },
    ];
    return {
      capacity: options.resources.capacity,
      allocatable: options.resources.allocatable,
      conditions: nodeConditions(health, options.node()?.status?.conditions ?? [], now),
      addresses,
      daemonEndpoints: { kubeletEndpoint: { Port: options.port } },
      nodeInfo: systemInfo(options.runtimeInfo, options.machine),
      images: await images(),
      ...(health.runtime?.handlers.length
        ? { runtimeHandlers: health.runtime.handlers.map((name) => ({ name })) }
        : {}),
    };
  }

  async function images(): Promise<ContainerImage[]> {
    const list = await runtime.images.list().catch(() => []);
    return [...list]
      .sort((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, MAX_IMAGES)
      .map((image) => ({ names: [...image.repoDigests, ...image.repoTags].slice(0, 5), sizeBytes: image.sizeBytes }));
  }

  async function report(): Promise<void> {
    const status = await build();
    const essence = JSON.stringify({
      ...status,
      conditions: status.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    });
    const ready = readyProblem(health) === undefined;
    if (essence === told && ready === toldReady && !takenForLost() && Date.now() - toldAt < REPORT_MS) return;
    await client
      .for(Nodes)
      .patch({ name: options.nodeName }, 'strategic', { status }, { subresource: 'status', signal: abort.signal });
    if (ready && !toldReady) logger.info({ node: options.nodeName }, 'the node is ready');
    if (!ready && toldReady)
      logger.warn({ node: options.nodeName, reason: readyProblem(health) }, 'the node is not ready');
    told = essence;
    toldAt = Date.now();
    toldReady = ready;
    if (ready) {
      for (const resolve of waiting) resolve();
      waiting.clear();
    }
  }

  /** After a silence, of the network or of this machine, the control plane does not know what it was told before. */
  function takenForLost(): boolean {
    return (
      options.node()?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'Unknown') ?? false
    );
  }

  async function tick(): Promise<void> {
    try {
      await check();
      await report();
    } catch (error) {
      if (!abort.signal.aborted) logger.warn({ error: messageOf(error) }, 'the node status could not be told');
      told = '';
    }
    if (abort.signal.aborted) return;
    timer = setTimeout(() => void tick(), toldReady ? CHECK_MS : told === '' ? 1000 : CHECK_UNREADY_MS);
    timer.unref();
  }

  return {
    async current() {
      await check();
      return await build();
    },
    get health() {
      return health;
    },
    start() {
      void tick();
    },
    whenReady(signal) {
      if (toldReady) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiting.add(resolve);
        signal?.addEventListener(
          'abort',
          () => {
            waiting.delete(resolve);
            reject(signal.reason);
          },
          { once: true },
        );
      });
    },
    stop() {
      abort.abort();
      clearTimeout(timer);
    },
  };
}
