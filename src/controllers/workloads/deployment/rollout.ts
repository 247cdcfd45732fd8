import type { Deployment, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { ReplicaSets } from '../../../client/resource-types.gen.ts';
import { isPodTerminal } from '../../pod-state.ts';
import type { ControllerContext, OwnWrites } from '../../runtime/index.ts';
import {
  DESIRED_REPLICAS,
  isRollingUpdate,
  MAX_REPLICAS,
  newReplicaSetSize,
  replicasOf,
  rollingLimits,
  specReplicas,
} from './replica-counts.ts';

/** Changes sizes of a Deployment's ReplicaSets, one Deployment at a time. Counts on sets as they were read. */
export class Rollout {
  readonly #context: ControllerContext;
  readonly #writes: OwnWrites<ReplicaSet>;
  readonly #deployment: Deployment;

  constructor(context: ControllerContext, writes: OwnWrites<ReplicaSet>, deployment: Deployment) {
    this.#context = context;
    this.#writes = writes;
    this.#deployment = deployment;
  }

  /** True when the size changed. */
  async scale(set: ReplicaSet, size: number): Promise<boolean> {
    const deployment = this.#deployment;
    const annotations = {
      ...set.metadata.annotations,
      [DESIRED_REPLICAS]: String(replicasOf(deployment)),
      [MAX_REPLICAS]: String(replicasOf(deployment) + rollingLimits(deployment).maxSurge),
    };
    const old = replicasOf(set);
    const annotated =
      set.metadata.annotations?.[DESIRED_REPLICAS] === annotations[DESIRED_REPLICAS] &&
      set.metadata.annotations?.[MAX_REPLICAS] === annotations[MAX_REPLICAS];
    if (old === size && annotated) return false;
    const updated = await this.#context.client
      .for(ReplicaSets)
      .update({ ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas: size } });
    this.#writes.wrote(`${deployment.metadata.namespace}/${deployment.metadata.name}`, updated);
    if (old !== size) {
      this.#context.events.event(
        deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled ${size > old ? 'up' : 'down'} replica set ${set.metadata.name} from ${old} to ${size}`,
      );
    }
    return old !== size;
  }

  /** All old pods go before the first new one comes. */
  async recreate(
    newSet: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
    podsOf: (set: ReplicaSet) => readonly Pod[],
  ): Promise<boolean> {
    let scaledDown = false;
    for (const set of old) if (replicasOf(set) > 0) scaledDown = (await this.scale(set, 0)) || scaledDown;
    if (scaledDown) return true;
    if (old.some((set) => podsOf(set).some((pod) => !isPodTerminal(pod)))) return true;
    return newSet ? this.scale(newSet, replicasOf(this.#deployment)) : false;
  }

  /** One step of a rolling update: up as far as the surge allows, else down as far as availability allows. */
  async roll(newSet: ReplicaSet, old: readonly ReplicaSet[]): Promise<boolean> {
    const all = [newSet, ...old];
    const size =
      replicasOf(newSet) > replicasOf(this.#deployment)
        ? replicasOf(this.#deployment)
        : newReplicaSetSize(this.#deployment, all, newSet);
    if (await this.scale(newSet, size)) return true;
    return this.#scaleDownOld(newSet, old);
  }

  async #scaleDownOld(newSet: ReplicaSet, old: readonly ReplicaSet[]): Promise<boolean> {
    if (specReplicas(old) === 0) return false;
    const minAvailable = replicasOf(this.#deployment) - rollingLimits(this.#deployment).maxUnavailable;
    const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
    let room = specReplicas([newSet, ...old]) - minAvailable - newUnavailable;
    if (room <= 0) return false;
    // Unhealthy old pods first: they help nobody, and a rollout over a broken revision would block on them.
    const sizes = new Map(old.map((set) => [set, replicasOf(set)]));
    const oldestFirst = [...old].sort((a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
    );
    for (const set of oldestFirst) {
      const unhealthy = Math.min(room, sizes.get(set)! - (set.status?.availableReplicas ?? 0));
      if (unhealthy <= 0) continue;
      sizes.set(set, sizes.get(set)! - unhealthy);
      room -= unhealthy;
    }
    // A set that was just scaled down may still count pods that are about to go.
    const availableOf = (set: ReplicaSet) =>
      Math.min(set.status?.availableReplicas ?? 0, sizes.get(set) ?? replicasOf(set));
    let spare = [newSet, ...old].reduce((total, set) => total + availableOf(set), 0) - minAvailable;
    for (const set of oldestFirst) {
      const cut = Math.min(spare, sizes.get(set)!);
      if (cut <= 0) continue;
      sizes.set(set, sizes.get(set)! - cut);
      spare -= cut;
    }
    let changed = false;
    for (const [set, size] of sizes) if (size !== replicasOf(set)) changed = (await this.scale(set, size)) || changed;
    return changed;
  }

  /**
   * The Deployment was scaled (or is paused): one active set takes the change; in the middle of a rollout all active
   * sets share it in proportion to their sizes, the largest first.
   */
  async scaleProportionally(newSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): Promise<void> {
    const deployment = this.#deployment;
    const all = newSet ? [newSet, ...old] : [...old];
    const active = all.filter((set) => replicasOf(set) > 0);
    if (active.length <= 1) {
      const only = active[0] ?? newSet ?? latest(old);
      if (only) await this.scale(only, replicasOf(deployment));
      return;
    }
    if (
      newSet &&
      (newSet.status?.availableReplicas ?? 0) === replicasOf(deployment) &&
      replicasOf(newSet) === replicasOf(deployment)
    ) {
      for (const set of old) if (replicasOf(set) > 0) await this.scale(set, 0);
      return;
    }
    if (!isRollingUpdate(deployment)) return;
    const allowed = replicasOf(deployment) > 0 ? replicasOf(deployment) + rollingLimits(deployment).maxSurge : 0;
    let toAdd = allowed - specReplicas(active);
    const direction = Math.sign(toAdd);
    const bySize = [...active].sort(
      (a, b) =>
        replicasOf(b) - replicasOf(a) ||
        direction * (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
    );
    const sizes = new Map<ReplicaSet, number>();
    for (const set of bySize) {
      const share = toAdd === 0 ? 0 : clampToward(proportion(set, deployment, allowed), toAdd);
      sizes.set(set, replicasOf(set) + share);
      toAdd -= share;
    }
    // What rounding left over is the largest one's.
    if (toAdd !== 0 && bySize[0]) sizes.set(bySize[0], Math.max(0, sizes.get(bySize[0])! + toAdd));
    for (const [set, size] of sizes) await this.scale(set, size);
  }
}

/** Sets whose Deployment was scaled since they were last sized. */
export function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = set.metadata.annotations?.[DESIRED_REPLICAS];
    return replicasOf(set) > 0 && desired !== undefined && Number(desired) !== replicasOf(deployment);
  });
}

/** Deletes the oldest sets without replicas beyond `revisionHistoryLimit`. */
export async function cleanupHistory(
  context: ControllerContext,
  deployment: Deployment,
  old: readonly ReplicaSet[],
  revisionOf: (set: ReplicaSet) => bigint,
): Promise<void> {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const removable = old.filter((set) => !set.metadata.deletionTimestamp);
  const excess = removable.length - limit;
  if (excess <= 0) return;
  for (const set of [...removable].sort((a, b) => Number(revisionOf(a) - revisionOf(b))).slice(0, excess)) {
    if (
      (set.status?.replicas ?? 0) !== 0 ||
      replicasOf(set) !== 0 ||
      (set.metadata.generation ?? 0) > (set.status?.observedGeneration ?? 0)
    )
      continue;
    try {
      await context.client.for(ReplicaSets).delete({ name: set.metadata.name, namespace: set.metadata.namespace! });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }
}

function proportion(set: ReplicaSet, deployment: Deployment, allowed: number): number {
  const before = Number(set.metadata.annotations?.[MAX_REPLICAS] ?? 0) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((replicasOf(set) * allowed) / before) - replicasOf(set);
}

/** `share` cut to what is left to give, and to its sign. */
function clampToward(share: number, left: number): number {
  return left > 0 ? Math.min(Math.max(0, share), left) : Math.max(Math.min(0, share), left);
}

function latest(sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort((a, b) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  )[0];
}
