import { type Logger, silentLogger } from '../apimachinery/logger.ts';
import type { Client } from '../client/client.ts';
import { claimAddressRanges } from './address-ranges.ts';
import { addonComponents } from './components/addons.ts';
import {
  apiServerComponent,
  controllerManagerComponent,
  datastoreComponent,
  pkiComponent,
  schedulerComponent,
} from './components/control-plane.ts';
import { joiningComponent } from './components/joining.ts';
import { kubeProxyComponent } from './components/kube-proxy.ts';
import { nodeComponents, nodeParts } from './components/node.ts';
import { pluginsComponent } from './components/plugins.ts';
import { serverNetworkComponent } from './components/pod-network.ts';
import type { Component, Timeline } from './graph/component.ts';
import { BootGraph } from './graph/graph.ts';
import { ADMIN } from './identities.ts';
import { buildKubeconfig } from './kubeconfig.ts';
import { type ClusterConfig, type ClusterOptions, resolveOptions } from './options.ts';
import { ClusterParts, type Connection } from './parts.ts';

/** A running cluster in this process. */
export class Cluster {
  readonly #graph: BootGraph;
  readonly #parts: ClusterParts;
  readonly #admin: Connection;
  /** For any client: acts as an administrator. YAML. */
  readonly kubeconfig: string;

  private constructor(graph: BootGraph, parts: ClusterParts, admin: Connection, kubeconfig: string) {
    this.#graph = graph;
    this.#parts = parts;
    this.#admin = admin;
    this.kubeconfig = kubeconfig;
  }

  /** Boots a cluster; resolves when phase 5 holds. Throws CodedError, with everything stopped, when a component fails. */
  static async start(options: ClusterOptions & { readonly signal?: AbortSignal } = {}): Promise<Cluster> {
    const config = withOwnRanges(resolveOptions(options), options);
    const logger: Logger = options.logger ?? silentLogger;
    const parts = new ClusterParts(config, logger);
    const nodes = Array.from({ length: config.nodes }, (_, number) =>
      nodeComponents(parts, nodeParts(parts, number)),
    ).flat();
    // A control plane on its own, whose nodes are agents on other hosts.
    const isServer = config.nodes === 0 && config.runtime === 'containerd';
    const below: Component[] = [
      pkiComponent(parts),
      datastoreComponent(parts),
      apiServerComponent(parts),
      controllerManagerComponent(parts),
      schedulerComponent(parts),
      joiningComponent(parts),
      ...(isServer ? [serverNetworkComponent(parts)] : nodes),
      ...(isServer || config.nodes > 0 ? [kubeProxyComponent(parts), ...addonComponents(parts)] : []),
      pluginsComponent(parts),
    ];
    const components = [...below, readyComponent(parts, below)];
    const graph = new BootGraph({
      components,
      logger,
      ...(options.onTimeline ? { onChange: (timeline) => options.onTimeline!(timeline) } : {}),
    });
    parts.timeline = () => graph.timeline();
    const onAbort = () => void graph.stop();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await graph.start();
      options.signal?.throwIfAborted();
      const { cert, key } = await parts.pki.certificate('admin', {
        commonName: ADMIN.name,
        organizations: ['system:masters'],
        usages: ['client'],
      });
      const kubeconfig = buildKubeconfig({
        server: parts.addresses.apiserver!,
        ca: parts.pki.ca.cert,
        cert,
        key,
        name: 'k8ts',
      });
      return new Cluster(graph, parts, parts.connect(ADMIN, 'k8ts'), kubeconfig);
    } catch (error) {
      await graph.stop();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** A typed client without sockets in between; acts as an administrator. */
  get client(): Client {
    return this.#admin.client;
  }

  /** What the cluster offers and where: name to URL. */
  get addresses(): Readonly<Record<string, string>> {
    return this.#parts.addresses;
  }

  /** Processes that outlive a crash of this one, by name. */
  processes(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.#parts.nodes.flatMap(({ name, containerd }) =>
        containerd ? [[`containerd of ${name}`, containerd.pid]] : [],
      ),
    );
  }

  timeline(): Timeline {
    return this.#graph.timeline();
  }

  /** Stops everything, pods included. Never throws; safe to call twice. */
  async stop(): Promise<void> {
    await this.#admin.close();
    await this.#graph.stop();
  }
}

/** Clusters side by side on one host keep their pods and Services apart. Simulated pods have no addresses that could clash. */
function withOwnRanges(config: ClusterConfig, options: ClusterOptions): ClusterConfig {
  const chosen = options.clusterCIDR !== undefined && options.serviceCIDR !== undefined;
  const realNodes = config.runtime === 'containerd' || config.nodes === 0;
  if (chosen || !realNodes || !config.dataDir || process.platform !== 'linux' || process.getuid?.() !== 0)
    return config;
  return resolveOptions({ ...claimAddressRanges({ dataDir: config.dataDir }), ...options });
}

/** Phase 5: everything holds at once, and the cluster tells how it came up. */
function readyComponent(parts: ClusterParts, all: readonly Component[]): Component {
  return {
    name: 'cluster',
    phase: 5,
    requires: all.map(({ name }) => name),
    async start() {
      parts.api.router.addPath('/k8ts/timeline', () => ({
        type: 'content',
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify(parts.timeline()),
      }));
    },
  };
}
