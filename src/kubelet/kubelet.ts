import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import type { Node, Pod, Taint } from '../api/types/core.v1.gen.ts';
import type { Logger } from '../apimachinery/logger.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder } from '../client/event-recorder.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { Nodes, Pods, Services } from '../client/resource-types.gen.ts';
import { createCgroupManager } from './cgroups/cgroup-manager.ts';
import { createConfigCache } from './config-cache.ts';
import { messageOf } from './containers/container-error.ts';
import { createImageManager } from './images/image-manager.ts';
import { cgroupRoot, kubeletInstance } from './kubelet-instance.ts';
import { kubeletPaths } from './kubelet-paths.ts';
import { createKubeletPods, type KubeletPods } from './kubelet-pods.ts';
import { createLogRotation } from './logs/log-rotation.ts';
import { nodeResources, readMachine } from './node/machine-info.ts';
import { networkProblem } from './node/node-conditions.ts';
import { createNodeLease } from './node/node-lease.ts';
import { registerNode } from './node/node-registration.ts';
import { createNodeStatusReporter } from './node/node-status.ts';
import { createContainerKiller } from './pods/container-killer.ts';
import { createPodCleanup } from './pods/pod-cleanup.ts';
import { podEvents } from './pods/pod-events.ts';
import { createPodSteps } from './pods/pod-steps.ts';
import { createPodSyncer } from './pods/pod-syncer.ts';
import { createPodWorkers } from './pods/pod-workers.ts';
import { createRuntimeCache } from './pods/runtime-cache.ts';
import { createStatusManager } from './pods/status-manager.ts';
import { createProbeManager } from './probes/probe-manager.ts';
import type { ContainerRuntime } from './runtime/container-runtime.ts';
import { createVolumeDrivers } from './volumes/drivers.ts';
import { createTokenSource } from './volumes/service-account-token.ts';
import { createVirtualVolumeManager } from './volumes/virtual-volume-manager.ts';
import type { VolumeDriver } from './volumes/volume-driver.ts';
import { createVolumeManager } from './volumes/volume-manager.ts';

export interface KubeletOptions {
  /** Acts as `system:node:<nodeName>`. */
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly logger: Logger;
  readonly nodeName: string;
  /** What the API server and other nodes reach this node at; the first address of the host when absent. */
  readonly nodeIP?: string;
  /** Required when the runtime has real processes. */
  readonly dataDir?: string;
  readonly clusterDNS?: readonly string[];
  readonly clusterDomain?: string;
  /** 110 when absent. */
  readonly maxPods?: number;
  /** Of the kubelet's own server, as the Node tells it; 10250 when absent. */
  readonly port?: number;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  /** Replaces what the machine has: `{ cpu: '32', memory: '64Gi' }`. */
  readonly capacity?: Readonly<Record<string, string>>;
  /** Asked before the built-in ones: CSI and plugins. */
  readonly volumeDrivers?: readonly VolumeDriver[];
  readonly resolvConf?: string;
}

export interface Kubelet {
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly pods: KubeletPods;
  /** Resolves when the node is registered and its pods are being looked after. */
  start(): Promise<void>;
  /** Resolves when the API server has the node as Ready. */
  whenReady(signal?: AbortSignal): Promise<void>;
  /** The range that the controller manager gave the node for its pods. */
  whenPodCIDR(signal?: AbortSignal): Promise<string>;
  /** Containers go on; the next start adopts them. Safe to call twice. */
  stop(): Promise<void>;
  /** Ends and removes all pods of this node with every trace, after `stop`; the API server is not told. */
  removePods(): Promise<void>;
}

export async function createKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { client, runtime, nodeName, dataDir } = options;
  const logger = options.logger.child({ component: 'kubelet', node: nodeName });
  if (runtime.realProcesses && !dataDir) throw new TypeError('a kubelet whose runtime has processes needs a dataDir');
  const instance = kubeletInstance(dataDir, nodeName);
  const now = Date.now;
  const machine = readMachine();
  const nodeIPs = [options.nodeIP ?? firstAddress()];
  const paths = runtime.realProcesses && dataDir ? kubeletPaths(dataDir) : undefined;
  const cgroups = paths ? createCgroupManager({ root: cgroupRoot(instance), logger }) : undefined;
  const resources = await nodeResources(machine, dataDir ?? os.tmpdir(), options.maxPods ?? 110, options.capacity);
  if (paths)
    for (const directory of [paths.podsDir, paths.podLogsDir, paths.seccompDir])
      await mkdir(directory, { recursive: true });

  const runtimeInfo = await runtime.info();
  const recorder = createEventRecorder({ client, logger, component: 'kubelet', host: nodeName });
  const eventsOf = (pod: Pod) => podEvents(recorder, pod);
  const informers = createInformerFactory(client, { logger });
  const podInformer = informers.informer(Pods, { fieldSelector: `spec.nodeName=${nodeName}` });
  const nodeInformer = informers.informer(Nodes, { fieldSelector: `metadata.name=${nodeName}` });
  const serviceInformer = informers.informer(Services);
  const node = (): Node | undefined => nodeInformer.get(nodeName);

  const wake = (uid: string) => workers.wake(uid);
  const cache = createRuntimeCache({ runtime, instance, logger, onChange: (uid) => workers.runtimeChanged(uid) });
  const config = createConfigCache({ client, logger, onChange: wake });
  const tokens = createTokenSource(client);
  const drivers = [
    ...(options.volumeDrivers ?? []),
    ...createVolumeDrivers({ config, tokens, allocatable: () => resources.allocatable }),
  ];
  const volumes = paths
    ? createVolumeManager({ client, podsDir: paths.podsDir, drivers })
    : createVirtualVolumeManager({ client, config });
  const cleanup = createPodCleanup({ runtime, volumes, paths, cgroups });
  const killer = createContainerKiller({ runtime, logger });
  const status = createStatusManager({ client, logger });
  const probes = createProbeManager({
    containers: runtime.containers,
    logger,
    runtimePod: (uid) => cache.get(uid),
    hostIP: () => nodeIPs[0] ?? '',
    eventsOf,
    onChange: wake,
  });
  const nodeStatus = createNodeStatusReporter({
    client,
    runtime,
    runtimeInfo,
    nodeName,
    nodeIPs,
    port: options.port ?? 10250,
    machine,
    resources,
    logger,
    cacheHealthy: () => cache.healthy,
    node,
  });
  const syncer = createPodSyncer({
    client,
    runtime,
    cache,
    images: createImageManager({ images: runtime.images, config, logger }),
    killer,
    probes,
    paths,
    cgroups,
    dns: {
      clusterDNS: options.clusterDNS ?? [],
      clusterDomain: options.clusterDomain ?? 'cluster.local',
      resolvConf: options.resolvConf ?? '/etc/resolv.conf',
    },
    instance,
    memoryCapacity: machine.memoryBytes,
    environmentSources: (podIPs) => ({
      config,
      addresses: { podIPs, hostIPs: nodeIPs },
      allocatable: resources.allocatable,
      services: serviceInformer.list(),
      kubernetesService: serviceInformer.get('default/kubernetes'),
    }),
    now,
  });
  const workers = createPodWorkers({
    cache,
    cleanup,
    killer,
    cgroups,
    eventsOf,
    logger,
    steps: (hooks) =>
      createPodSteps({
        client,
        cache,
        syncer,
        killer,
        probes,
        volumes,
        cleanup,
        status,
        config,
        tokens,
        paths,
        cgroups,
        logger,
        runtimeName: runtimeInfo.name,
        now,
        eventsOf,
        node,
        hostIPs: () => nodeIPs,
        networkError: () => networkProblem(nodeStatus.health),
        ...hooks,
      }),
  });
  const lease = createNodeLease({ client, nodeName, logger, nodeUid: () => node()?.metadata.uid });
  const rotation = paths ? createLogRotation({ containers: runtime.containers, cache, logger }) : undefined;
  const abort = new AbortController();
  let stopped: Promise<void> | undefined;

  return {
    nodeName,
    runtime,
    pods: createKubeletPods(
      () => workers.pods(),
      (uid) => cache.get(uid),
    ),
    async start() {
      const [first] = await Promise.all([nodeStatus.current(), cache.start()]);
      const registration = {
        client,
        nodeName,
        architecture: machine.architecture,
        labels: options.nodeLabels ?? {},
        taints: options.taints,
        logger,
      };
      await registerNode(registration, first, abort.signal);
      informers.start();
      await informers.whenSynced(abort.signal);
      podInformer.addHandler({
        onAdd: (pod) => workers.add(pod),
        onUpdate: (pod, old) => workers.update(pod, old),
        onDelete: (pod) => workers.remove(pod),
      });
      nodeInformer.addHandler({
        // Somebody deleted the Node: it is registered anew.
        onDelete: () =>
          void nodeStatus
            .current()
            .then((current) => registerNode(registration, current, abort.signal))
            .catch((error) => logger.debug({ error: messageOf(error) }, 'registration ended')),
      });
      workers.start();
      lease.start();
      nodeStatus.start();
      rotation?.start();
    },
    whenReady: (signal) => nodeStatus.whenReady(signal),
    whenPodCIDR(signal) {
      return new Promise((resolve, reject) => {
        let removeHandler = () => {};
        const look = (object: Node) => {
          if (!object.spec?.podCIDR) return;
          queueMicrotask(() => removeHandler());
          resolve(object.spec.podCIDR);
        };
        removeHandler = nodeInformer.addHandler({ onAdd: look, onUpdate: look });
        signal?.addEventListener(
          'abort',
          () => {
            removeHandler();
            reject(signal.reason);
          },
          { once: true },
        );
      });
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
    async removePods() {
      await workers.removeAll();
      await cgroups?.removeRoot();
    },
  };

  async function stop(): Promise<void> {
    abort.abort();
    lease.stop();
    nodeStatus.stop();
    rotation?.stop();
    await workers.stop();
    probes.stop();
    cache.stop();
    await status.stop();
    await Promise.all([informers.stop(), config.stop(), recorder.stop()]);
  }
}

/** The first address of the host that is not loopback; IPv4 if there is one. */
function firstAddress(): string {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ internal }) => !internal);
  return usable.find(({ family }) => family === 'IPv4')?.address ?? usable[0]?.address ?? '127.0.0.1';
}
