import { join } from 'node:path';
import { Cluster } from '../cluster/cluster.ts';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import { mergeIntoUserKubeconfig } from '../cluster/merged-kubeconfig.ts';
import type { ClusterOptions } from '../cluster/options.ts';
import { describeCluster } from './describe.ts';
import { runInForeground } from './foreground-process.ts';

export interface ForegroundRun {
  readonly command: 'up' | 'server';
  readonly options: ClusterOptions;
  readonly flags: {
    readonly dataDir: string;
    readonly kubeconfig?: string;
    readonly mergeKubeconfig?: boolean;
    readonly timings?: string;
    readonly output?: 'json';
  };
}

/** A cluster in this process until it is told to stop. */
export function runForeground({ command, options, flags }: ForegroundRun): Promise<void> {
  const { dataDir } = flags;
  const kubeconfig = flags.kubeconfig ?? join(dataDir, 'kubeconfig');
  return runInForeground<Cluster>({
    command,
    flags,
    runtime: options.runtime ?? 'simulated',
    datastore: options.datastore ?? 'lmdb',
    boot: (context) => Cluster.start({ ...options, ...context }),
    onReady(cluster) {
      writeKubeconfig(kubeconfig, cluster.kubeconfig);
      if (flags.mergeKubeconfig) mergeIntoUserKubeconfig(dataDir, cluster.kubeconfig, cluster.addresses.apiserver!);
      return { kubeconfig };
    },
    describe: describeCluster,
  });
}
