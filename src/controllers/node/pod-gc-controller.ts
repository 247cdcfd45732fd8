import type { Node, Pod } from '../../api/types/core.v1.gen.ts';
import { Nodes, Pods } from '../../client/resource-types.gen.ts';
import { withCondition } from '../conditions.ts';
import { forEachParallel, ignoreNotFound } from '../parallel.ts';
import { isPodTerminal } from '../pod-state.ts';
import { type ControllerDefinition, defineController } from '../runtime/index.ts';
import { readyCondition } from './node-health.ts';
import { TAINT_OUT_OF_SERVICE } from './taints.ts';

export interface PodGcOptions {
  /** Terminated pods beyond this number are deleted, oldest first; 12,500, and 0 for never. */
  readonly terminatedThreshold?: number;
  /** 20 s. */
  readonly periodMs?: number;
  /** A node missing for so long is gone; 40 s. */
  readonly quarantineMs?: number;
}

/** Removes pods that no kubelet will remove: of nodes that are gone, never scheduled, or terminated and too many. */
export function podGcController(options: PodGcOptions = {}): ControllerDefinition {
  const threshold = options.terminatedThreshold ?? 12_500;
  const periodMs = options.periodMs ?? 20_000;
  const quarantineMs = options.quarantineMs ?? 40_000;
  return defineController({
    name: 'pod-garbage-collector-controller',
    setup({ client, informer, now, logger }) {
      const pods = informer(Pods);
      const nodes = informer(Nodes);
      const missing = new Map<string, number>();

      /** Names of nodes that pods refer to and that were missing for the quarantine, confirmed by the server. */
      async function goneNodes(): Promise<ReadonlySet<string>> {
        const suspects = new Set<string>();
        for (const pod of pods.list()) {
          const name = pod.spec?.nodeName;
          if (name && !nodes.get(name)) suspects.add(name);
        }
        for (const name of missing.keys()) if (!suspects.has(name)) missing.delete(name);
        const gone = new Set<string>();
        for (const name of suspects) {
          if (!missing.has(name)) missing.set(name, now());
          if (now() - (missing.get(name) ?? 0) < quarantineMs) continue;
          if (!(await client.for(Nodes).get({ name }).catch(ignoreNotFound))) gone.add(name);
        }
        return gone;
      }

      async function remove(pod: Pod, message?: string): Promise<void> {
        const { namespace, name, uid } = pod.metadata;
        if (!isPodTerminal(pod))
          await client
            .for(Pods)
            .updateStatus(failed(pod, message, now()))
            .catch(ignoreNotFound);
        await client
          .for(Pods)
          .delete({ namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } })
          .catch(ignoreNotFound);
        logger.info({ pod: `${namespace}/${name}`, reason: message }, 'deleted a pod that nobody else would');
      }

      async function collect(): Promise<void> {
        const gone = await goneNodes();
        const all = pods.list();
        await forEachParallel(all, 8, async (pod) => {
          const nodeName = pod.spec?.nodeName;
          if (!nodeName) {
            if (pod.metadata.deletionTimestamp && !pod.metadata.finalizers?.length) await remove(pod);
          } else if (gone.has(nodeName)) await remove(pod, 'PodGC: node no longer exists');
          else if (pod.metadata.deletionTimestamp && isOutOfService(nodes.get(nodeName)))
            await remove(pod, 'PodGC: node is out of service');
        });
        if (threshold === 0) return;
        const terminated = all.filter((pod) => isPodTerminal(pod) && !pod.metadata.deletionTimestamp);
        const excess = terminated.length - threshold;
        if (excess <= 0) return;
        const evicted = (pod: Pod) => (pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted' ? 0 : 1);
        const age = (pod: Pod) => pod.metadata.creationTimestamp ?? '';
        terminated.sort((a, b) => evicted(a) - evicted(b) || (age(a) < age(b) ? -1 : 1));
        await forEachParallel(terminated.slice(0, excess), 8, (pod) => remove(pod));
      }

      return {
        watches: [],
        initialKeys: ['collect'],
        async reconcile() {
          await collect();
          return { requeueAfterMs: periodMs };
        },
      };
    },
  });
}

function isOutOfService(node: Node | undefined): boolean {
  if (!node || readyCondition(node)?.status === 'True') return false;
  return node.spec?.taints?.some(({ key }) => key === TAINT_OUT_OF_SERVICE) ?? false;
}

function failed(pod: Pod, message: string | undefined, now: number): Pod {
  const conditions = message
    ? withCondition(
        pod.status?.conditions,
        { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message },
        now,
      )
    : pod.status?.conditions;
  return { ...pod, status: { ...pod.status, phase: 'Failed', ...(conditions ? { conditions } : {}) } };
}
