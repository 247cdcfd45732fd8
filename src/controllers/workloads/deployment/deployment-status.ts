import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import { conditionOf, timestamp, withCondition, withoutCondition } from '../../conditions.ts';
import { replicasOf, rollingLimits, sum } from './replica-counts.ts';

const NO_DEADLINE = 2_147_483_647;

/** Counts and the Available condition; progress is the caller's (`withProgress`). */
export function countStatus(deployment: Deployment, sets: readonly ReplicaSet[], newSet: ReplicaSet | undefined, now: number): DeploymentStatus {
  const available = sum(sets, (set) => set.status?.availableReplicas);
  const minimum = replicasOf(deployment) - rollingLimits(deployment).maxUnavailable;
  const condition: DeploymentCondition =
    available >= minimum
      ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
      : { type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' };
  const counts = {
    replicas: sum(sets, (set) => set.status?.replicas),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum(sets, (set) => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(sets, replicasOf) - available),
    terminatingReplicas: sum(sets, (set) => set.status?.terminatingReplicas),
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...Object.fromEntries(Object.entries(counts).filter(([field, count]) => count !== 0 || field === 'terminatingReplicas')),
    ...(deployment.status?.collisionCount ? { collisionCount: deployment.status.collisionCount } : {}),
    conditions: touched(deployment.status?.conditions, condition, now),
  };
}

/** Progressing and ReplicaFailure, as `kubectl rollout status` reads them. */
export function withProgress(deployment: Deployment, status: DeploymentStatus, sets: readonly ReplicaSet[], newSet: ReplicaSet | undefined, now: number): DeploymentStatus {
  let conditions = status.conditions ?? [];
  const failure = (newSet ? [newSet, ...sets] : sets).map((set) => conditionOf(set.status?.conditions, 'ReplicaFailure')).find(Boolean);
  conditions = failure ? touched(conditions, { type: 'ReplicaFailure', status: 'True', reason: failure.reason ?? '', message: failure.message ?? '' }, now) : withoutCondition(conditions, 'ReplicaFailure');
  const deadline = deployment.spec.progressDeadlineSeconds ?? 600;
  if (deadline === NO_DEADLINE) return { ...status, conditions: withoutCondition(conditions, 'Progressing') };
  const progressing = conditionOf(conditions, 'Progressing');
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const finished = progressing?.reason === 'NewReplicaSetAvailable';
  if (deployment.spec.paused) return { ...status, conditions };
  if (isComplete(deployment, status)) {
    conditions = touched(conditions, { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` }, now);
  } else if (hasProgressed(deployment.status, status) || !progressing || (finished && deployment.status?.observedGeneration !== status.observedGeneration && (status.updatedReplicas ?? 0) < replicasOf(deployment))) {
    const created = !progressing;
    const condition = { type: 'Progressing', status: 'True', reason: created ? 'NewReplicaSetCreated' : 'ReplicaSetUpdated', message: created ? `Created new replica set "${newSet?.metadata.name ?? ''}"` : `${subject} is progressing.` };
    conditions = touched(withoutCondition(conditions, 'Progressing'), { ...condition, ...(progressing?.status === 'True' && progressing.lastTransitionTime ? { lastTransitionTime: progressing.lastTransitionTime } : {}) }, now);
  } else if (!finished && timedOut(progressing, deadline, now)) {
    conditions = touched(conditions, { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: `${subject} has timed out progressing.` }, now);
  }
  return { ...status, conditions };
}

export function pausedCondition(deployment: Deployment, status: DeploymentStatus, now: number): DeploymentStatus {
  const progressing = conditionOf(status.conditions, 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') return status;
  if (deployment.spec.paused && progressing?.reason !== 'DeploymentPaused') {
    return { ...status, conditions: touched(status.conditions, { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }, now) };
  }
  if (!deployment.spec.paused && progressing?.reason === 'DeploymentPaused') {
    return { ...status, conditions: touched(status.conditions, { type: 'Progressing', status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' }, now) };
  }
  return status;
}

/** Ms until the deadline may have passed; undefined when nothing is waited for. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const deadline = deployment.spec.progressDeadlineSeconds ?? 600;
  const progressing = conditionOf(status.conditions, 'Progressing');
  if (deadline === NO_DEADLINE || !progressing || progressing.status !== 'True' || progressing.reason === 'NewReplicaSetAvailable') return undefined;
  return Math.max(1_000, Date.parse(progressing.lastUpdateTime ?? progressing.lastTransitionTime ?? '') + deadline * 1000 - now + 1_000) || undefined;
}

function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (status.updatedReplicas ?? 0) === wanted && (status.replicas ?? 0) === wanted && (status.availableReplicas ?? 0) === wanted && (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

function hasProgressed(old: DeploymentStatus | undefined, now: DeploymentStatus): boolean {
  const oldReplicas = (status: DeploymentStatus | undefined) => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (old?.updatedReplicas ?? 0) ||
    oldReplicas(now) < oldReplicas(old) ||
    (now.readyReplicas ?? 0) > (old?.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (old?.availableReplicas ?? 0)
  );
}

function timedOut(progressing: DeploymentCondition | undefined, deadlineSeconds: number, now: number): boolean {
  if (!progressing || progressing.status !== 'True') return false;
  const since = Date.parse(progressing.lastUpdateTime ?? progressing.lastTransitionTime ?? '');
  return since + deadlineSeconds * 1000 < now;
}

/** `withCondition` that keeps `lastUpdateTime`, which Deployments alone have: when the condition was last written. */
function touched(conditions: readonly DeploymentCondition[] | undefined, condition: DeploymentCondition, now: number): readonly DeploymentCondition[] {
  const old = conditionOf(conditions, condition.type);
  if (old && old.status === condition.status && old.reason === condition.reason && old.message === condition.message) return conditions!;
  const added = withCondition(conditions, { ...condition, lastUpdateTime: timestamp(now) }, now);
  return condition.lastTransitionTime ? added.map((c) => (c.type === condition.type ? { ...c, lastTransitionTime: condition.lastTransitionTime! } : c)) : added;
}
