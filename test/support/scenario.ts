import { randomBytes } from 'node:crypto';
import { describe, inject } from 'vitest';
import type { RunningCluster } from './k8ts.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';

/** A scenario with real containers on the shared cluster; skipped, with the reason in its name, where none can run. */
export function scenario(name: string, define: (shared: { cluster: RunningCluster }) => void): void {
  const reason = inject('noContainers');
  const cluster = inject('cluster');
  if (cluster) describe(name, () => define({ cluster }));
  else describe.skip(`${name} (${reason})`, () => define({ cluster: {} as RunningCluster }));
}

/** A namespace of the scenario's own, and kubectl bound to it. */
export async function freshNamespace(
  cluster: RunningCluster,
  prefix: string,
): Promise<{ namespace: string; kubectl: Kubectl; remove(): Promise<void> }> {
  const namespace = `${prefix}-${randomBytes(3).toString('hex')}`;
  const plain = await kubectlFor(cluster.kubeconfig);
  await plain(`create namespace ${namespace}`);
  const kubectl = await kubectlFor(cluster.kubeconfig, '1.36', namespace);
  return { namespace, kubectl, remove: async () => void (await plain(`delete namespace ${namespace} --timeout=60s`)) };
}
