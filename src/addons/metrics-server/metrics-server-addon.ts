import type { Logger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { Nodes, Pods } from '../../client/resource-types.gen.ts';
import { createCollector } from './collector.ts';
import { createMetricsApi, type MetricsApi } from './metrics-api.ts';
import { publish } from './publish.ts';
import { MetricsHttpsServer } from './server.ts';
import { createUsageStore } from './usage.ts';

export interface MetricsServerAddonOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly logger: Logger;
  /** Where the API server reaches this process, and what the server listens on. */
  readonly address: string;
  /** 0 takes a free one. */
  readonly port?: number;
  /** For METRICS_SERVER_NAMES (names.ts). */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** PEM, of the authority that signed `certificate`. */
  readonly caBundle: string;
  /** PEM, of the authority of the API server's front-proxy certificate. */
  readonly clientCA: string;
  /** Between two readings of a kubelet; 15 s. */
  readonly intervalMs?: number;
}

export interface MetricsServerAddon {
  /** Resolves when the API is served and published; figures come with the second reading, two seconds later. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As the HTTPS server answers, for who is in the same process. */
  readonly api: MetricsApi;
}

/** Usage of nodes and pods as `metrics.k8s.io`, for `kubectl top` and the HorizontalPodAutoscaler. */
export function createMetricsServerAddon(options: MetricsServerAddonOptions): MetricsServerAddon {
  const { client, informers, address, caBundle } = options;
  const logger = options.logger.child({ component: 'metrics-server' });
  const nodes = informers.informer(Nodes);
  const pods = informers.informer(Pods);
  const usages = createUsageStore();
  const api = createMetricsApi({ nodes, pods, usages });
  const collector = createCollector({ client, nodes, usages, logger, intervalMs: options.intervalMs ?? 15_000 });
  const server = new MetricsHttpsServer({
    api,
    logger,
    bindAddress: address,
    port: options.port ?? 0,
    certificate: options.certificate,
    clientCA: options.clientCA,
  });
  return {
    api,
    async start() {
      informers.start();
      const published = async () => {
        await server.start();
        await publish({ client, address, port: server.port, caBundle });
      };
      await Promise.all([informers.whenSynced(), published()]);
      collector.start();
    },
    async stop() {
      await collector.stop();
      await server.stop();
    },
  };
}
