import type { Node, Pod } from '../../api/types/core.v1.gen.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import { Nodes, Pods } from '../../client/resource-types.gen.ts';
import { withCondition } from '../conditions.ts';
import { ignoreNotFound } from '../parallel.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { evictionTime } from './taints.ts';

const BY_NODE = 'pod-node';

/** Deletes pods that don't tolerate a NoExecute taint of their node, or not for any longer. */
export function taintEvictionController(): ControllerDefinition {
  return defineController({
    name: 'taint-eviction-controller',
    concurrency: 8,
    setup() {
      /** When a pod was first seen under its present taints, for taints that don't say since when they hold. */
      const since = new Map<string, number>();
      return {
        watches: [
          watch(Pods, {
            when: ({ type, object, old }) =>
              type !== 'update' ||
              object.spec?.nodeName !== old?.spec?.nodeName ||
              object.spec?.tolerations?.length !== old?.spec?.tolerations?.length,
            indexes: { [BY_NODE]: (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []) },
          }),
          watch(Nodes, {
            when: ({ object, old }) => noExecute(object) !== noExecute(old),
            keys: (node, { informer }) => informer(Pods).byIndex(BY_NODE, node.metadata.name).map(objectKey),
          }),
        ],
        async reconcile({ key, namespace, name }, { client, informer, events, now }) {
          const pod = informer(Pods).get(key);
          const node = pod?.spec?.nodeName ? informer(Nodes).get(pod.spec.nodeName) : undefined;
          const taints = node?.spec?.taints?.filter(({ effect }) => effect === 'NoExecute') ?? [];
          if (!pod || pod.metadata.deletionTimestamp || taints.length === 0) {
            since.delete(key);
            return;
          }
          if (!since.has(key)) since.set(key, now());
          const time = evictionTime(pod.spec?.tolerations ?? [], taints, since.get(key) ?? now());
          if (time === 'never') return;
          if (time > now()) return { requeueAfterMs: time - now() };
          events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
          await client.for(Pods).updateStatus(disrupted(pod, now())).catch(ignoreNotFound);
          await client
            .for(Pods)
            .delete({ namespace, name }, { preconditions: { uid: pod.metadata.uid } })
            .catch(ignoreNotFound);
          since.delete(key);
        },
      };
    },
  });
}

function noExecute(node: Node | undefined): string {
  const taints = node?.spec?.taints?.filter(({ effect }) => effect === 'NoExecute') ?? [];
  return taints.map(({ key, value, timeAdded }) => `${key}=${value ?? ''} ${timeAdded ?? ''}`).join(',');
}

function disrupted(pod: Pod, now: number): Pod {
  const conditions = withCondition(
    pod.status?.conditions,
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    },
    now,
  );
  return { ...pod, status: { ...pod.status, conditions } };
}
