import type { Deployment, DeploymentStatus, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { Deployments, Pods, ReplicaSets } from '../../../client/resource-types.gen.ts';
import {
  byControllerUid,
  type ControllerContext,
  type ControllerDefinition,
  createOwnWrites,
  defineController,
  noteGone,
  type OwnWrites,
  watch,
} from '../../runtime/index.ts';
import { adopters, BY_CONTROLLER, claim } from '../ownership.ts';
import { canonical } from '../template-hash.ts';
import {
  countStatus,
  pausedCondition,
  untilDeadline,
  withCreateError,
  withNewReplicaSet,
  withProgress,
} from './deployment-status.ts';
import { isRollingUpdate, replicasOf, specReplicas } from './replica-counts.ts';
import { ensureNewReplicaSet, REVISION, ReplicaSetCreateError, type RevisionStep, revisionOf } from './revisions.ts';
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
        const owner = sets
          .get(`${namespace}/${setName}`)
          ?.metadata.ownerReferences?.find(({ controller }) => controller);
        const deployment = owner && deployments.get(`${namespace}/${owner.name}`);
        return deployment && !isRollingUpdate(deployment) ? [`${namespace}/${owner.name}`] : [];
      };
      return {
        watches: [
          watch(Deployments),
          watch(ReplicaSets, {
            ownedBy: Deployments,
            indexes: { [BY_CONTROLLER]: byControllerUid },
            observe: noteGone(writes),
          }),
          watch(ReplicaSets, { keys: (set) => adopters(deployments, set, (deployment) => deployment.spec.selector) }),
          watch(Pods, {
            indexes: { [BY_CONTROLLER]: byControllerUid },
            when: ({ type }) => type === 'delete',
            keys: (pod) =>
              pod.metadata.ownerReferences
                ?.filter(({ controller, kind }) => controller && kind === 'ReplicaSet')
                .flatMap(({ name }) => recreating(name, pod.metadata.namespace!)) ?? [],
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
            context.events.event(
              deployment,
              'Warning',
              'SelectingAll',
              'This deployment is selecting all pods. A non-empty selector is required.',
            );
            return;
          }
          const claimed = await claim(context, {
            owner: deployment,
            ownerType: Deployments,
            selector: deployment.spec.selector,
            informer: sets,
          });
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
async function roll(
  context: ControllerContext,
  writes: OwnWrites<ReplicaSet>,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  podsOf: (set: ReplicaSet) => readonly Pod[],
): Promise<DeploymentStatus | undefined> {
  const rollout = new Rollout(context, writes, deployment);
  const before = pausedCondition(deployment, deployment.status ?? {}, context.now());
  if (deployment.metadata.deletionTimestamp)
    return writeStatus(context, deployment, countStatus(deployment, sets, undefined, before, context.now()));
  // Recreate makes the new set only when the old pods are gone; a paused Deployment and one that is scaled make none.
  const scaling = deployment.spec.paused === true || isScalingEvent(deployment, sets);
  const wantsNew = !scaling && isRollingUpdate(deployment);
  let step = await ensure(context, writes, deployment, sets, wantsNew);
  const old = sets.filter((set) => set.metadata.uid !== step.newSet?.metadata.uid);
  if (step.collided) return undefined;
  if (scaling) await rollout.scaleProportionally(step.newSet, old);
  else if (isRollingUpdate(deployment)) await rollout.roll(step.newSet!, old);
  else {
    const waiting = await rollout.recreate(step.newSet, old, podsOf);
    if (!waiting && !step.newSet) step = await ensure(context, writes, deployment, sets, true);
    if (step.collided) return undefined;
  }
  const { newSet, created } = step;
  const all = newSet && !sets.some((set) => set.metadata.uid === newSet.metadata.uid) ? [...sets, newSet] : sets;
  const now = context.now();
  const counted = countStatus(
    deployment,
    all,
    newSet,
    withNewReplicaSet(deployment, before, newSet, created, now),
    now,
  );
  const status = scaling ? counted : withProgress(deployment, counted, all, newSet, now);
  await writeStatus(context, deployment, status);
  const done = newSet && (newSet.status?.availableReplicas ?? 0) >= replicasOf(deployment) && specReplicas(old) === 0;
  if (done || deployment.spec.paused) await cleanupHistory(context, deployment, old, revisionOf);
  return status;
}

/** The step to the new set; a failure to make one shows in the Deployment's conditions before it is thrown. */
async function ensure(
  context: ControllerContext,
  writes: OwnWrites<ReplicaSet>,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  create: boolean,
): Promise<RevisionStep> {
  try {
    const step = await ensureNewReplicaSet(context, writes, deployment, sets, create);
    if (step.newSet) await copyRevision(context, deployment, step.newSet);
    return step;
  } catch (error) {
    if (error instanceof ReplicaSetCreateError) {
      context.events.event(deployment, 'Warning', 'ReplicaSetCreateError', error.message);
      await writeStatus(context, deployment, withCreateError(deployment, error.message, context.now()));
    }
    throw error;
  }
}

/** `kubectl rollout history` reads the revision off the Deployment too. */
async function copyRevision(context: ControllerContext, deployment: Deployment, newSet: ReplicaSet): Promise<void> {
  const revision = newSet.metadata.annotations?.[REVISION];
  if (!revision || deployment.metadata.annotations?.[REVISION] === revision) return;
  const { name, namespace } = deployment.metadata;
  await context.client
    .for(Deployments)
    .patch({ name, namespace: namespace! }, 'merge', { metadata: { annotations: { [REVISION]: revision } } });
}

async function writeStatus(
  context: ControllerContext,
  deployment: Deployment,
  status: DeploymentStatus,
): Promise<DeploymentStatus> {
  if (canonical(status) === canonical(deployment.status ?? {})) return status;
  try {
    await patchStatus(context, deployment, status);
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
  return status;
}

/** As a patch, for our own write of the revision has made the resourceVersion stale; the uid keeps it to this Deployment. */
async function patchStatus(
  context: ControllerContext,
  deployment: Deployment,
  status: DeploymentStatus,
): Promise<void> {
  const { name, namespace, uid } = deployment.metadata;
  const gone = Object.keys(deployment.status ?? {}).filter((field) => !(field in status));
  await context.client
    .for(Deployments)
    .patch(
      { name, namespace: namespace! },
      'merge',
      { metadata: { uid }, status: { ...Object.fromEntries(gone.map((field) => [field, null])), ...status } },
      { subresource: 'status' },
    );
}

function matchesEverything(deployment: Deployment): boolean {
  const { matchLabels, matchExpressions } = deployment.spec.selector;
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}
