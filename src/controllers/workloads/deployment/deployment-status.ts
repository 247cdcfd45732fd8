import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import { conditionOf, timestamp, withCondition, withoutCondition } from '../../conditions.ts';
import { replicasOf, rollingLimits, sum } from './replica-counts.ts';

const NO_DEADLINE = 2_147_483_647;

/** Counts and the Available condition on top of what `before` says of progress. */
export function countStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  before: DeploymentStatus,
  now: number,
): DeploymentStatus {
  const available = sum(sets, (set) => set.status?.availableReplicas);
  const minimum = replicasOf(deployment) - rollingLimits(deployment).maxUnavailable;
  const condition: DeploymentCondition =
    available >= minimum
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        };
  const cached = sets.find((set) => set.metadata.uid === newSet?.metadata.uid) ?? newSet;
  const counts = {
    replicas: sum(sets, (set) => set.status?.replicas),
    updatedReplicas: cached?.status?.replicas ?? 0,
    readyReplicas: sum(sets, (set) => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(sets, replicasOf) - available),
    terminatingReplicas: sum(sets, (set) => set.status?.terminatingReplicas),
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...Object.fromEntries(
      Object.entries(counts).filter(([field, count]) => count !== 0 || field === 'terminatingReplicas'),
    ),
    ...(deployment.status?.collisionCount ? { collisionCount: deployment.status.collisionCount } : {}),
    conditions: touched(before.conditions, condition, now),
  };
}

/** What a sync knows of progress before it counts: a set was made just now, or one was found that nobody told of. */
export function withNewReplicaSet(
  deployment: Deployment,
  status: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  created: boolean,
  now: number,
): DeploymentStatus {
  if (!newSet || deadlineOf(deployment) === undefined) return status;
  const { name } = newSet.metadata;
  if (created) return progressing(status, 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`, now);
  if (!conditionOf(status.conditions, 'Progressing'))
    return progressing(status, 'True', 'FoundNewReplicaSet', `Found new replica set "${name}"`, now);
  return status;
}

export function withCreateError(deployment: Deployment, message: string, now: number): DeploymentStatus {
  const status = deployment.status ?? {};
  if (deadlineOf(deployment) === undefined) return status;
  return progressing(status, 'False', 'ReplicaSetCreateError', message, now);
}

/** Progressing and ReplicaFailure, as `kubectl rollout status` reads them. */
export function withProgress(
  deployment: Deployment,
  counted: DeploymentStatus,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  now: number,
): DeploymentStatus {
  const failure = (newSet ? [newSet, ...sets] : sets)
    .map((set) => conditionOf(set.status?.conditions, 'ReplicaFailure'))
    .find(Boolean);
  const conditions = failure
    ? touched(
        counted.conditions,
        { type: 'ReplicaFailure', status: 'True', reason: failure.reason ?? '', message: failure.message ?? '' },
        now,
      )
    : withoutCondition(counted.conditions, 'ReplicaFailure');
  const status = { ...counted, conditions };
  const deadline = deadlineOf(deployment);
  if (deadline === undefined) return { ...status, conditions: withoutCondition(conditions, 'Progressing') };
  const current = conditionOf(conditions, 'Progressing');
  const settled =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
  if (settled) return status;
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  if (isComplete(deployment, status))
    return progressing(status, 'True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`, now);
  if (hasProgressed(deployment.status, status)) {
    // Written anew even if nothing changes in it: the deadline counts from the last progress.
    const others = { ...status, conditions: withoutCondition(conditions, 'Progressing') };
    const since = current?.status === 'True' ? current.lastTransitionTime : undefined;
    return progressing(others, 'True', 'ReplicaSetUpdated', `${subject} is progressing.`, now, since);
  }
  if (timedOut(current, deadline, now))
    return progressing(status, 'False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`, now);
  return status;
}

export function pausedCondition(deployment: Deployment, status: DeploymentStatus, now: number): DeploymentStatus {
  if (deadlineOf(deployment) === undefined) return status;
  const current = conditionOf(status.conditions, 'Progressing');
  if (current?.reason === 'ProgressDeadlineExceeded') return status;
  if (deployment.spec.paused && current?.reason !== 'DeploymentPaused')
    return progressing(status, 'Unknown', 'DeploymentPaused', 'Deployment is paused', now);
  if (!deployment.spec.paused && current?.reason === 'DeploymentPaused')
    return progressing(status, 'Unknown', 'DeploymentResumed', 'Deployment is resumed', now);
  return status;
}

/** Ms until the deadline may have passed; undefined when nothing is waited for. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const deadline = deadlineOf(deployment);
  const current = conditionOf(status.conditions, 'Progressing');
  if (deadline === undefined || !current || deployment.spec.paused) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  return Math.max(0, lastProgress(current) + deadline * 1000 - now) + 1_000;
}

function progressing(
  status: DeploymentStatus,
  value: 'True' | 'False' | 'Unknown',
  reason: string,
  message: string,
  now: number,
  lastTransitionTime?: string,
): DeploymentStatus {
  const condition = { type: 'Progressing', status: value, reason, message };
  const stamped = lastTransitionTime ? { ...condition, lastTransitionTime } : condition;
  return { ...status, conditions: touched(status.conditions, stamped, now) };
}

/** Seconds; undefined when progress is not watched. */
function deadlineOf(deployment: Deployment): number | undefined {
  const deadline = deployment.spec.progressDeadlineSeconds ?? 600;
  return deadline === NO_DEADLINE ? undefined : deadline;
}

const lastProgress = (condition: DeploymentCondition) =>
  Date.parse(condition.lastUpdateTime ?? condition.lastTransitionTime ?? '');

function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(old: DeploymentStatus | undefined, now: DeploymentStatus): boolean {
  const oldReplicas = (status: DeploymentStatus | undefined) =>
    (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (old?.updatedReplicas ?? 0) ||
    oldReplicas(now) < oldReplicas(old) ||
    (now.readyReplicas ?? 0) > (old?.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (old?.availableReplicas ?? 0)
  );
}

function timedOut(current: DeploymentCondition | undefined, deadlineSeconds: number, now: number): boolean {
  if (!current || current.reason === 'NewReplicaSetAvailable') return false;
  if (current.reason === 'ProgressDeadlineExceeded') return true;
  return lastProgress(current) + deadlineSeconds * 1000 < now;
}

/** `withCondition` that keeps `lastUpdateTime`, which Deployments alone have: when the condition was last written. */
function touched(
  conditions: readonly DeploymentCondition[] | undefined,
  condition: DeploymentCondition,
  now: number,
): readonly DeploymentCondition[] {
  const old = conditionOf(conditions, condition.type);
  if (old && old.status === condition.status && old.reason === condition.reason && old.message === condition.message)
    return conditions!;
  const added = withCondition(conditions, { ...condition, lastUpdateTime: timestamp(now) }, now);
  return condition.lastTransitionTime
    ? added.map((c) => (c.type === condition.type ? { ...c, lastTransitionTime: condition.lastTransitionTime! } : c))
    : added;
}
