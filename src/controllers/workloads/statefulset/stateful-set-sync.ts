import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import type { ControllerContext } from '../../runtime/index.ts';
import { inParallel } from '../batches.ts';
import { scaledValue } from '../scaled-value.ts';
import type { StatefulPodControl } from './stateful-pod-control.ts';
import {
  inRange,
  isAvailable,
  isOrdered,
  isRunningAndReady,
  isTerminating,
  ordinalOf,
  replicasOf,
  revisionOf,
  startOf,
} from './stateful-pods.ts';

export interface SetState {
  readonly key: string;
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly now: number;
}

interface Replica {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

/** One step towards the pods that should be there. In order, a step is one pod; in parallel it is all at once. */
export async function syncPods(
  context: ControllerContext,
  control: StatefulPodControl,
  state: SetState,
): Promise<void> {
  const { set, pods } = state;
  const byOrdinal = new Map<number, Pod>();
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal !== undefined) byOrdinal.set(ordinal, pod);
  }
  const replicas: Replica[] = Array.from({ length: replicasOf(set) }, (_, index) => {
    const ordinal = startOf(set) + index;
    return { ordinal, pod: byOrdinal.get(ordinal) };
  });
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => !inRange(set, ordinal))
    .map(([ordinal, pod]) => ({ ordinal, pod }))
    .sort((a, b) => b.ordinal - a.ordinal);
  if (!(await forAll(set, replicas, (replica) => keep(context, control, state, replica)))) return;
  for (const { ordinal, pod } of condemned) await control.applyRetention(set, ordinal, pod);
  const unhealthy = [...replicas, ...[...condemned].reverse()].find(
    ({ pod }) => !pod || isTerminating(pod) || !isAvailable(set, pod, state.now),
  )?.pod;
  if (!(await forAll(set, condemned, ({ pod }) => condemn(control, state, pod, unhealthy)))) return;
  if ((set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate') await update(control, state, replicas);
}

/** False when a step asked to wait; in order the first such ends the round. */
async function forAll<T>(set: StatefulSet, items: readonly T[], step: (item: T) => Promise<boolean>): Promise<boolean> {
  if (isOrdered(set)) {
    for (const item of items) if (!(await step(item))) return false;
    return true;
  }
  let waits = false;
  await inParallel(items, async (item) => {
    if (!(await step(item))) waits = true;
  });
  return !waits;
}

/** True when the replica is as it should be, or nobody has to wait for it. */
async function keep(
  { events }: ControllerContext,
  control: StatefulPodControl,
  state: SetState,
  { ordinal, pod }: Replica,
): Promise<boolean> {
  const { key, set, now } = state;
  const ordered = isOrdered(set);
  if (!pod) {
    const made = await control.create(key, set, ordinal, revisionFor(state, ordinal));
    return made && !ordered;
  }
  const { namespace, name } = set.metadata;
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') {
    const failed = pod.status.phase === 'Failed';
    if (!isTerminating(pod)) {
      events.event(
        set,
        failed ? 'Warning' : 'Normal',
        failed ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod',
        `StatefulSet ${namespace}/${name} is recreating ${failed ? 'failed' : 'terminated'} Pod ${pod.metadata.name}`,
      );
      await control.delete(key, set, pod);
    }
    return false;
  }
  if ((pod.status?.phase ?? 'Pending') === 'Pending' && !isTerminating(pod)) await control.createClaims(set, ordinal);
  if (ordered && (isTerminating(pod) || !isAvailable(set, pod, now))) return false;
  await control.mendIdentity(key, set, ordinal, pod);
  await control.applyRetention(set, ordinal, pod);
  return true;
}

/** Scales a pod away. In order, one that is not well waits for those below it unless it is the only such. */
async function condemn(
  control: StatefulPodControl,
  { key, set, now }: SetState,
  pod: Pod,
  firstUnhealthy: Pod | undefined,
): Promise<boolean> {
  if (isTerminating(pod)) return !isOrdered(set);
  if (isOrdered(set) && !isAvailable(set, pod, now) && pod !== firstUnhealthy) return false;
  await control.delete(key, set, pod);
  return false;
}

/** Deletes pods of older revisions from the highest ordinal down, at most maxUnavailable at a time, to the partition. */
async function update(control: StatefulPodControl, state: SetState, replicas: readonly Replica[]): Promise<void> {
  const { key, set, now, update: wanted } = state;
  const { partition = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  let room = Math.max(1, scaledValue(maxUnavailable, replicasOf(set), Math.floor));
  for (const { ordinal, pod } of [...replicas].reverse()) {
    if (ordinal - startOf(set) < partition || room <= 0 || !pod) return;
    if (revisionOf(pod) !== wanted.metadata.name && !isTerminating(pod)) {
      await control.delete(key, set, pod);
      room--;
    } else if (isTerminating(pod) || !isAvailable(set, pod, now)) room--;
  }
}

/** Ordinals below the partition come back as they were. */
function revisionFor({ set, current, update: wanted }: SetState, ordinal: number): ControllerRevision {
  const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return wanted;
  const kept = rollingUpdate ? (rollingUpdate.partition ?? 0) : (set.status?.currentReplicas ?? 0);
  return ordinal < startOf(set) + kept ? current : wanted;
}

export function statusOf(
  { set, pods, current, update: wanted, now }: SetState,
  collisionCount: number | undefined,
): StatefulSetStatus {
  const count = (matches: (pod: Pod) => boolean) => pods.filter(matches).length;
  const ofRevision = (revision: ControllerRevision) =>
    count((pod) => !isTerminating(pod) && revisionOf(pod) === revision.metadata.name);
  const replicas = pods.length;
  const readyReplicas = count(isRunningAndReady);
  const updatedReplicas = ofRevision(wanted);
  const wantedReplicas = replicasOf(set);
  const complete =
    (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate' &&
    [replicas, readyReplicas, updatedReplicas].every((number) => number === wantedReplicas);
  const currentReplicas = complete ? updatedReplicas : ofRevision(current);
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas,
    ...(readyReplicas ? { readyReplicas } : {}),
    ...(currentReplicas ? { currentReplicas } : {}),
    ...(updatedReplicas ? { updatedReplicas } : {}),
    currentRevision: (complete ? wanted : current).metadata.name,
    updateRevision: wanted.metadata.name,
    collisionCount: collisionCount ?? 0,
    availableReplicas: count((pod) => isAvailable(set, pod, now)),
    ...(set.status?.conditions ? { conditions: set.status.conditions } : {}),
  };
}
