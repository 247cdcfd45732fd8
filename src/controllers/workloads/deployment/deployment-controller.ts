import { isStatusError } from '../../../apimachinery/status-error.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { Deployments, Pods, ReplicaSets } from '../../../client/resource-types.gen.ts';
import { byControllerUid, type ControllerContext, type ControllerDefinition, createOwnWrites, defineController, type OwnWrites, watch } from '../../runtime/index.ts';
import { adopters, BY_CONTROLLER, claim } from '../ownership.ts';
import { canonical } from '../template-hash.ts';
import { countStatus, pausedCondition, untilDeadline, withProgress } from './deployment-status.ts';
import { isRollingUpdate, replicasOf, specReplicas } from './replica-counts.ts';
import { ensureNewReplicaSet, REVISION, revisionOf } from './revisions.ts';
import { cleanupHistory, isScalingEvent, Rollout } from './rollout.ts';

const OWN_WRITES_MS = 5_000;

/** Brings a Deployment's pods from one template to the next by way of ReplicaSets. */
export function deploymentController(): ControllerDefinition {
  return defineController({
    name: 'deployment-controller',
    concurrency: 5,
    setup(context) {
      const deployments = context.informer(Deployments);
      const sets = context.informer(ReplicaSets);
      const pods = context.informer(Pods);
      const writes = createOwnWrites(sets);
      /** Of pods whose ReplicaSet's Deployment waits for the last old pod to go (Recreate). */
      const recreating = (setName: string, namespace: string) => {
        const owner = sets.get(`${namespace}/${setName}`)?.metadata.ownerReferences?.find(({ controller }) => controller);
        const deployment = owner && deployments.get(`${namespace}/${owner.name}`);
        return deployment && !isRollingUpdate(deployment) ? [`${namespace}/${owner.name}`] : [];
      };
      return {
        watches: [
          watch(Deployments),
          watch(ReplicaSets, { ownedBy: Deployments, indexes: { [BY_CONTROLLER]: byControllerUid } }),
          watch(ReplicaSets, { keys: (set) => adopters(deployments, set, (deployment) => deployment.spec.selector) }),
          watch(Pods, {
            indexes: { [BY_CONTROLLER]: byControllerUid },
            when: ({ type }) => type === 'delete',
            keys: (pod) => pod.metadata.ownerReferences?.filter(({ controller, kind }) => controller && kind === 'ReplicaSet').flatMap(({ name }) => recreating(name, pod.metadata.namespace!)) ?? [],
          }),
        ],
        async reconcile({ key }) {
          const deployment = deployments.get(key);
          if (!deployment) {
            writes.forget(key);
            return;
          }
          if (writes.pending(key)) return { requeueAfterMs: OWN_WRITES_MS };
          if (matchesEverything(deployment)) {
            context.events.event(deployment, 'Warning', 'SelectingAll', 'This deployment is selecting all pods. A non-empty selector is required.');
            return;
          }
          const claimed = await claim(context, { owner: deployment, ownerType: Deployments, selector: deployment.spec.selector, informer: sets });
          const podsOf = (set: ReplicaSet) => pods.byIndex(BY_CONTROLLER, set.metadata.uid!);
          const status = await roll(context, writes, deployment, claimed, podsOf);
          const requeueAfterMs = status && untilDeadline(deployment, status, context.now());
          return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
        },
      };
    },
  });
}

/** Returns the status written, if the sync came so far. */
async function roll(context: ControllerContext, writes: OwnWrites<ReplicaSet>, deployment: Deployment, sets: readonly ReplicaSet[], podsOf: (set: ReplicaSet) => readonly Pod[]): Promise<DeploymentStatus | undefined> {
  const rollout = new Rollout(context, writes, deployment);
  if (deployment.metadata.deletionTimestamp) return writeStatus(context, deployment, sets, undefined);
  // Recreate makes the new set only when the old pods are gone; a paused Deployment and one that is scaled make none.
  const scaling = deployment.spec.paused === true || isScalingEvent(deployment, sets);
  const wantsNew = !scaling && isRollingUpdate(deployment);
  let { newSet, collided } = await ensureNewReplicaSet(context, writes, deployment, sets, wantsNew);
  if (collided) return undefined;
  const old = sets.filter((set) => set.metadata.uid !== newSet?.metadata.uid);
  if (newSet) await copyRevision(context, deployment, newSet);
  if (scaling) await rollout.scaleProportionally(newSet, old);
  else if (isRollingUpdate(deployment)) await rollout.roll(newSet!, old);
  else {
    const waiting = await rollout.recreate(newSet, old, podsOf);
    if (!waiting && !newSet) {
      ({ newSet, collided } = await ensureNewReplicaSet(context, writes, deployment, sets, true));
      if (collided) return undefined;
      if (newSet) await copyRevision(context, deployment, newSet);
    }
  }
  const status = await writeStatus(context, deployment, sets, newSet);
  const done = newSet && (newSet.status?.availableReplicas ?? 0) >= replicasOf(deployment) && specReplicas(old) === 0;
  if (done || deployment.spec.paused) await cleanupHistory(context, deployment, old, revisionOf);
  return status;
}

/** `kubectl rollout history` reads the revision off the Deployment too. */
async function copyRevision(context: ControllerContext, deployment: Deployment, newSet: ReplicaSet): Promise<void> {
  const revision = newSet.metadata.annotations?.[REVISION];
  if (!revision || deployment.metadata.annotations?.[REVISION] === revision) return;
  const { name, namespace } = deployment.metadata;
  await context.client.for(Deployments).patch({ name, namespace: namespace! }, 'merge', { metadata: { annotations: { [REVISION]: revision } } });
}

async function writeStatus(context: ControllerContext, deployment: Deployment, sets: readonly ReplicaSet[], newSet: ReplicaSet | undefined): Promise<DeploymentStatus> {
  const now = context.now();
  const all = newSet && !sets.some((set) => set.metadata.uid === newSet.metadata.uid) ? [...sets, newSet] : sets;
  const counted = pausedCondition(deployment, countStatus(deployment, all, newSet && (all.find((set) => set.metadata.uid === newSet.metadata.uid) ?? newSet), now), now);
  const status = withProgress(deployment, counted, all, newSet, now);
  if (canonical(status) === canonical(deployment.status ?? {})) return status;
  try {
    await patchStatus(context, deployment, status);
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
  return status;
}

/** As a patch, for our own write of the revision has made the resourceVersion stale; the uid keeps it to this Deployment. */
async function patchStatus(context: ControllerContext, deployment: Deployment, status: DeploymentStatus): Promise<void> {
  const { name, namespace, uid } = deployment.metadata;
  const gone = Object.keys(deployment.status ?? {}).filter((field) => !(field in status));
  await context.client.for(Deployments).patch({ name, namespace: namespace! }, 'merge', { metadata: { uid }, status: { ...Object.fromEntries(gone.map((field) => [field, null])), ...status } }, { subresource: 'status' });
}

function matchesEverything(deployment: Deployment): boolean {
  const { matchLabels, matchExpressions } = deployment.spec.selector;
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}
