import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '../../src/cluster/cluster.ts';
import type { ClusterOptions } from '../../src/cluster/options.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import type { KubectlVersion } from './tools.ts';

/** A cluster in the test's own process, for scenarios that need no containers. */
export interface EmbeddedCluster {
  readonly cluster: Cluster;
  /** File that real clients read: an administrator's. */
  readonly kubeconfig: string;
  /** `https://127.0.0.1:port`. */
  readonly server: string;
  /** The administrator's, in PEM. */
  readonly identity: { readonly ca: string; readonly cert: string; readonly key: string };
  kubectl(namespace?: string, version?: KubectlVersion): Promise<Kubectl>;
  /** A folder of the scenario's own; gone after `stop`. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** Memory and simulated; without a node unless `nodes` says so. */
export async function startEmbedded(options: ClusterOptions = {}): Promise<EmbeddedCluster> {
  const cluster = await Cluster.start({
    runtime: 'simulated',
    datastore: 'memory',
    nodes: 0,
    ingressPorts: { http: 0, https: 0 },
    ...options,
  });
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-embedded-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
  return {
    cluster,
    kubeconfig,
    folder,
    server: cluster.addresses.apiserver!,
    identity: {
      ca: embedded(cluster.kubeconfig, 'certificate-authority-data'),
      cert: embedded(cluster.kubeconfig, 'client-certificate-data'),
      key: embedded(cluster.kubeconfig, 'client-key-data'),
    },
    kubectl: (namespace = 'default', version = '1.36') => kubectlFor(kubeconfig, version, namespace),
    async stop() {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function embedded(kubeconfig: string, field: string): string {
  const match = new RegExp(`${field}: "?([A-Za-z0-9+/=]+)`).exec(kubeconfig);
  if (!match) throw new Error(`the kubeconfig has no ${field}`);
  return Buffer.from(match[1]!, 'base64').toString('utf8');
}
