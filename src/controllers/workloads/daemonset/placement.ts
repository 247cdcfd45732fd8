import type { DaemonSet } from '../../../api/types/apps.v1.gen.ts';
import type { Node, Pod } from '../../../api/types/core.v1.gen.ts';
import { isPodAvailable, isPodReady } from '../../pod-state.ts';
import type { ControllerContext } from '../../runtime/index.ts';
import { byAge, isUpdated, nodeVerdicts } from './daemon-pods.ts';
import type { FailedPodBackoff } from './failed-pod-backoff.ts';

export interface PodChanges {
  /** Names of nodes that get a pod. */
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
}

export interface DaemonState {
  readonly daemonSet: DaemonSet;
  readonly key: string;
  readonly hash: string;
  readonly nodes: readonly Node[];
  /** Pods by the node they are for; all that are not deleted and terminal. */
  readonly podsOf: ReadonlyMap<string, readonly Pod[]>;
  readonly surge: number;
}

/** What brings one pod to each node that should have one, and none to the others. */
export function place(context: ControllerContext, state: DaemonState, backoff: FailedPodBackoff): PodChanges {
  const { daemonSet, nodes, podsOf } = state;
  const verdictOf = nodeVerdicts(daemonSet);
  const create: string[] = [];
  const remove: Pod[] = [];
  const known = new Set<string>();
  for (const node of nodes) {
    const { name } = node.metadata;
    known.add(name);
    const pods = podsOf.get(name);
    const { shouldRun, shouldContinue } = verdictOf(node);
    if (!pods) {
      if (shouldRun) create.push(name);
    } else if (shouldContinue) remove.push(...excess(context, state, name, pods, backoff));
    else remove.push(...pods.filter(({ metadata }) => !metadata.deletionTimestamp));
  }
  // The scheduler can never place a pod whose node is gone.
  for (const [name, pods] of podsOf)
    if (!known.has(name))
      remove.push(...pods.filter(({ metadata, spec }) => !spec.nodeName && !metadata.deletionTimestamp));
  return { create, delete: remove };
}

function excess(
  context: ControllerContext,
  { daemonSet, key, hash, surge }: DaemonState,
  node: string,
  pods: readonly Pod[],
  backoff: FailedPodBackoff,
): readonly Pod[] {
  const { events } = context;
  const doomed: Pod[] = [];
  const running: Pod[] = [];
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp) continue;
    const where = `daemon pod ${pod.metadata.namespace}/${pod.metadata.name} on node ${node}`;
    if (pod.status?.phase === 'Failed') {
      const waitMs = backoff.next(`${daemonSet.metadata.uid}/${daemonSet.metadata.generation}/${node}`, context.now());
      if (waitMs > 0) {
        context.enqueue(key, waitMs);
        continue;
      }
      events.event(daemonSet, 'Warning', 'FailedDaemonPod', `Found failed ${where}, will try to kill it`);
      doomed.push(pod);
    } else if (pod.status?.phase === 'Succeeded') {
      events.event(daemonSet, 'Normal', 'SucceededDaemonPod', `Found succeeded ${where}, will try to delete it`);
      doomed.push(pod);
    } else running.push(pod);
  }
  if (running.length <= 1) return doomed;
  running.sort((a, b) => Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName)) || byAge(a, b));
  if (surge === 0) return [...doomed, ...running.slice(1)];
  // With surge there may be one old and one new pod.
  const [newest, ...moreNew] = running.filter((pod) => isUpdated(daemonSet, pod, hash));
  const [oldest, ...moreOld] = running.filter((pod) => !isUpdated(daemonSet, pod, hash));
  doomed.push(...moreNew, ...moreOld);
  const minReady = daemonSet.spec.minReadySeconds ?? 0;
  if (newest && oldest && (!isPodReady(oldest) || isPodAvailable(newest, minReady, context.now()))) doomed.push(oldest);
  return doomed;
}
