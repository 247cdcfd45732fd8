import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Kubelet } from '../../kubelet/kubelet.ts';
import type { ContainerRuntime } from '../../kubelet/runtime/container-runtime.ts';
import type { Containerd } from '../../kubelet/runtime/containerd/containerd.ts';
import type { Component } from '../graph/component.ts';
import { nodeUser } from '../identities.ts';
import { hostAddress, hostNodeName } from '../machine.ts';
import type { ClusterParts, Connection } from '../parts.ts';
import { startKubeletServer } from './kubelet-server.ts';

/** One node of this process. Parts are there once their component is ready. */
export interface NodeParts {
  readonly name: string;
  readonly ip: string;
  /** Of this node alone; undefined with the simulated runtime and no data directory. */
  readonly dataDir: string | undefined;
  containerd?: Containerd;
  runtime?: ContainerRuntime;
  kubelet?: Kubelet;
  podCIDR?: string;
}

/** Short and unique on this host, for names of bridges and nftables tables. */
export function instanceId(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
}

/** The node with this number, from 0; nodes beside the first have a data directory in that of the cluster. */
export function nodeParts(parts: ClusterParts, number: number): NodeParts {
  const { config } = parts;
  const suffix = number === 0 ? '' : `-${number + 1}`;
  const name = config.runtime === 'simulated' ? `node-${number + 1}` : `${hostNodeName()}${suffix}`;
  const dataDir = config.dataDir && (number === 0 ? config.dataDir : join(config.dataDir, 'nodes', name));
  const ip = config.runtime === 'simulated' && config.bindAddress === '127.0.0.1' ? '127.0.0.1' : hostAddress();
  return { name, ip, dataDir };
}

/** The components of one node. */
export function nodeComponents(parts: ClusterParts, number: number): Component[] {
  const node = nodeParts(parts, number);
  parts.nodes.push(node);
  const named = (name: string) => (number === 0 ? name : `${name}-${number + 1}`);
  const real = parts.config.runtime === 'containerd';
  return [
    runtimeComponent(parts, node, named('container-runtime')),
    kubeletComponent(parts, node, named('kubelet'), named('container-runtime')),
    ...(real ? [podNetworkComponent(parts, node, named('pod-network'), named('kubelet'))] : []),
    nodeReadyComponent(node, named('node'), [named('kubelet'), ...(real ? [named('pod-network')] : [])]),
  ];
}

function runtimeComponent(parts: ClusterParts, node: NodeParts, name: string): Component {
  const { config, logger } = parts;
  return {
    name,
    phase: 2,
    requires: [],
    async start({ signal }) {
      if (config.runtime === 'simulated') {
        const { createSimulatedRuntime } = await import('../../kubelet/runtime/simulated/simulated-runtime.ts');
        node.runtime = createSimulatedRuntime({});
        return;
      }
      const { createContainerdRuntime } = await import('../../kubelet/runtime/containerd/containerd-runtime.ts');
      if (config.containerRuntimeEndpoint) {
        node.runtime = await createContainerdRuntime({
          endpoint: config.containerRuntimeEndpoint,
          logger,
          pauseImage: false,
        });
        return;
      }
      const { startContainerd } = await import('../../kubelet/runtime/containerd/containerd.ts');
      node.containerd = await startContainerd({ dataDir: node.dataDir!, logger, signal });
      node.runtime = await createContainerdRuntime({ endpoint: node.containerd.endpoint, logger, pauseImage: true });
    },
    async stop() {
      await node.runtime?.close();
      await node.containerd?.stop();
    },
  };
}

function kubeletComponent(parts: ClusterParts, node: NodeParts, name: string, runtime: string): Component {
  const { config, logger } = parts;
  let connection: Connection | undefined;
  let server: { stop(): Promise<void> } | undefined;
  return {
    name,
    phase: 2,
    requires: [runtime, 'apiserver'],
    async start() {
      const { createKubelet } = await import('../../kubelet/kubelet.ts');
      connection = parts.connect(nodeUser(node.name), 'kubelet');
      const started = await startKubeletServer({ connection, pki: parts.pki, node, logger });
      server = started;
      node.kubelet = await createKubelet({
        client: connection.client,
        runtime: node.runtime!,
        logger,
        nodeName: node.name,
        nodeIP: node.ip,
        port: started.port,
        ...(node.dataDir ? { dataDir: node.dataDir } : {}),
        clusterDNS: config.disable.has('dns') ? [] : [config.clusterDNS],
        clusterDomain: config.clusterDomain,
      });
      started.serve(node.kubelet);
      await node.kubelet.start();
    },
    /** The cluster stops: its pods end too. What a crash leaves running is adopted by the next start instead. */
    async stop() {
      await node.kubelet?.stop();
      await node.kubelet?.removePods();
      await server?.stop();
      await connection?.close();
    },
  };
}

function podNetworkComponent(parts: ClusterParts, node: NodeParts, name: string, kubelet: string): Component {
  const { config, logger } = parts;
  let stops: (() => Promise<void>)[] = [];
  return {
    name,
    phase: 2,
    requires: [kubelet, 'controller-manager'],
    async start({ signal }) {
      if (config.containerRuntimeEndpoint)
        return { skipped: 'the existing container runtime has a network of its own' };
      const [{ createPodNetwork }, { createHostPorts }] = await Promise.all([
        import('../../network/pod-network.ts'),
        import('../../network/host-ports.ts'),
      ]);
      node.podCIDR = await node.kubelet!.whenPodCIDR(signal);
      const id = instanceId(node.dataDir!);
      const network = createPodNetwork({
        bridge: `k8ts-${id}`,
        table: `k8ts-net-${id}`,
        podCIDR: node.podCIDR,
        clusterCIDR: config.clusterCIDR,
        cniConfDir: node.containerd!.cniConfDir,
        stateDir: join(node.dataDir!, 'cni', 'addresses'),
        logger,
      });
      stops.push(() => network.stop());
      await network.start();
      const connection = parts.connect(nodeUser(node.name), 'host-ports');
      const hostPorts = createHostPorts({
        informers: connection.informers,
        nodeName: node.name,
        table: `k8ts-ports-${id}`,
        logger,
      });
      stops.push(async () => {
        await hostPorts.stop();
        await connection.close();
      });
      await hostPorts.start();
    },
    async stop() {
      for (const stop of stops.reverse()) await stop();
      stops = [];
    },
  };
}

/** Phase 2 is ready when the API server has the node as Ready. */
function nodeReadyComponent(node: NodeParts, name: string, requires: readonly string[]): Component {
  return {
    name,
    phase: 2,
    requires,
    start: ({ signal }) => node.kubelet!.whenReady(signal),
  };
}
