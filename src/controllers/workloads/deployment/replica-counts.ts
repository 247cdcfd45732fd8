import type { Deployment, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import { scaledValue } from '../scaled-value.ts';

export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

export const isRollingUpdate = (deployment: Deployment) =>
  (deployment.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
export const replicasOf = (object: { readonly spec: { readonly replicas?: number } }) => object.spec.replicas ?? 1;
export const sum = (sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number | undefined) =>
  sets.reduce((total, set) => total + (count(set) ?? 0), 0);
export const specReplicas = (sets: readonly ReplicaSet[]) => sum(sets, replicasOf);

/** maxSurge and maxUnavailable in pods: percentages of the replicas, surge rounded up, unavailable down; never both 0. */
export function rollingLimits(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  if (!isRollingUpdate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = replicasOf(deployment);
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, replicas, Math.ceil);
  const unavailable = scaledValue(maxUnavailable, replicas, Math.floor);
  return surge === 0 && unavailable === 0
    ? { maxSurge: 0, maxUnavailable: 1 }
    : { maxSurge: surge, maxUnavailable: Math.min(unavailable, replicas) };
}

/** How many replicas the new set of a rollout may have now. */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], newSet: ReplicaSet): number {
  const wanted = replicasOf(deployment);
  if (!isRollingUpdate(deployment)) return wanted;
  const room = wanted + rollingLimits(deployment).maxSurge - specReplicas(all);
  return room <= 0 ? replicasOf(newSet) : Math.min(wanted, replicasOf(newSet) + room);
}
