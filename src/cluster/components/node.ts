import { join } from 'node:path';
import { createPodAddresses } from '../../kubelet/runtime/simulated/pod-addresses.ts';
import type { Connection } from '../connection.ts';
import type { Component } from '../graph/component.ts';
import { nodeUser } from '../identities.ts';
import { hostAddress, hostNodeName } from '../machine.ts';
import type { NodeParts, NodeSite } from '../node-site.ts';
import type { ClusterParts } from '../parts.ts';
import { endPods } from './end-pods.ts';
import { startKubeletServer } from './kubelet-server.ts';
import { podNetworkComponent } from './pod-network.ts';

/** The node with this number, from 0; nodes beside the first have a data directory in that of the cluster. */
export function nodeParts(parts: ClusterParts, number: number): NodeParts {
  const { config } = parts;
  const suffix = number === 0 ? '' : `-${number + 1}`;
  const name = config.runtime === 'simulated' ? `node-${number + 1}` : `${hostNodeName()}${suffix}`;
  const dataDir = config.dataDir && (number === 0 ? config.dataDir : join(config.dataDir, 'nodes', name));
  const ip = config.runtime === 'simulated' && config.bindAddress === '127.0.0.1' ? '127.0.0.1' : hostAddress();
  if (config.runtime !== 'simulated') return { name, ip, dataDir };
  parts.podAddresses ??= createPodAddresses(config.clusterCIDR);
  return { name, ip, dataDir, podAddresses: parts.podAddresses };
}

/** The components of one node, which becomes the next of its site. */
export function nodeComponents(site: NodeSite, node: NodeParts): Component[] {
  const number = site.nodes.push(node);
  const named = (name: string) => (number === 1 ? name : `${name}-${number}`);
  const real = site.runtime === 'containerd';
  return [
    runtimeComponent(site, node, named('container-runtime')),
    kubeletComponent(site, node, named('kubelet'), named('container-runtime')),
    ...(real ? [podNetworkComponent(site, node, named('pod-network'), named('kubelet'))] : []),
    nodeReadyComponent(node, named('node'), [named('kubelet'), ...(real ? [named('pod-network')] : [])]),
  ];
}

function runtimeComponent(site: NodeSite, node: NodeParts, name: string): Component {
  return {
    name,
    phase: 2,
    requires: [],
    async start({ signal }) {
      const { runtime, logger } = site;
      if (runtime === 'simulated') {
        const { createSimulatedRuntime } = await import('../../kubelet/runtime/simulated/simulated-runtime.ts');
        node.runtime = createSimulatedRuntime(node.podAddresses ? { addresses: node.podAddresses } : {});
        return;
      }
      const { createContainerdRuntime } = await import('../../kubelet/runtime/containerd/containerd-runtime.ts');
      if (site.containerRuntimeEndpoint) {
        node.runtime = await createContainerdRuntime({
          endpoint: site.containerRuntimeEndpoint,
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

function kubeletComponent(site: NodeSite, node: NodeParts, name: string, runtime: string): Component {
  let connection: Connection | undefined;
  let server: { stop(): Promise<void> } | undefined;
  return {
    name,
    phase: 2,
    requires: [runtime, site.requires.api],
    async start() {
      const { config, logger } = site;
      const { createKubelet } = await import('../../kubelet/kubelet.ts');
      connection = site.connect(nodeUser(node.name), 'kubelet');
      const started = await startKubeletServer({ connection, pki: site.pki, node, logger });
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
    async stop() {
      try {
        await endPods(node);
      } finally {
        await server?.stop();
        await connection?.close();
      }
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
    stop: () => endPods(node),
  };
}
