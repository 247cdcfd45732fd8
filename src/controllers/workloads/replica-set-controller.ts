import type { ReplicaSetStatus } from '../../api/types/apps.v1.gen.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core.v1.gen.ts';
import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import type { KubeObject, LabelSelector } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ResourceType } from '../../client/client.ts';
import { Pods, ReplicaSets, ReplicationControllers } from '../../client/resource-types.gen.ts';
import { withCondition, withoutCondition } from '../conditions.ts';
import { isPodActive, isPodAvailable, isPodReady, isPodTerminal } from '../pod-state.ts';
import {
  byControllerUid,
  type ControllerContext,
  type ControllerDefinition,
  createOwnWrites,
  defineController,
  noteGone,
  watch,
} from '../runtime/index.ts';
import { inParallel, slowStart } from './batches.ts';
import { adopters, BY_CONTROLLER, claim } from './ownership.ts';
import { nextAvailability } from './pod-availability.ts';
import { PodControl, podFromTemplate } from './pod-control.ts';
import { rankForDeletion } from './pod-ranking.ts';
import { canonical } from './template-hash.ts';

/** At most so many pods are made or deleted in one go. */
const BURST = 500;
/** When the cache must have shown our own writes; then we look again whatever it shows. */
const OWN_WRITES_MS = 5_000;

/** ReplicaSets and ReplicationControllers are alike but for the form of their selector. */
interface Replicated extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly selector?: unknown;
    readonly template?: PodTemplateSpec;
  };
  readonly status?: ReplicaSetStatus;
}

interface Flavor {
  readonly name: string;
  readonly type: ResourceType<Replicated>;
  selectorOf(owner: Replicated): LabelSelector | undefined;
}

export function replicaSetController(): ControllerDefinition {
  return replicatedController({
    name: 'replicaset-controller',
    type: ReplicaSets as unknown as ResourceType<Replicated>,
    selectorOf: (owner) => owner.spec.selector as LabelSelector,
  });
}

export function replicationController(): ControllerDefinition {
  return replicatedController({
    name: 'replicationcontroller-controller',
    type: ReplicationControllers as unknown as ResourceType<Replicated>,
    selectorOf: (owner) => ({ matchLabels: owner.spec.selector as Record<string, string> }),
  });
}

function replicatedController(flavor: Flavor): ControllerDefinition {
  return defineController({
    name: flavor.name,
    concurrency: 5,
    setup(context) {
      const owners = context.informer(flavor.type);
      const pods = context.informer(Pods);
      const writes = createOwnWrites(pods);
      const control = new PodControl(context, writes);
      return {
        watches: [
          watch(flavor.type),
          watch(Pods, {
            ownedBy: flavor.type,
            indexes: { [BY_CONTROLLER]: byControllerUid },
            observe: noteGone(writes),
          }),
          watch(Pods, { keys: (pod) => adopters(owners, pod, flavor.selectorOf) }),
        ],
        async reconcile({ key }) {
          const owner = owners.get(key);
          if (!owner) {
            writes.forget(key);
            return;
          }
          if (writes.pending(key)) return { requeueAfterMs: OWN_WRITES_MS };
          const claimed = await claim(context, {
            owner,
            ownerType: flavor.type,
            selector: flavor.selectorOf(owner),
            informer: pods,
            ignore: isPodTerminal,
          });
          const active = claimed.filter(isPodActive);
          let failure: unknown;
          if (!owner.metadata.deletionTimestamp) {
            failure = await manageReplicas(context, control, flavor, owner, key, active).then(
              () => undefined,
              (error) => error,
            );
          }
          await writeStatus(context, flavor, owner, statusOf(owner, claimed, failure, active, context.now()));
          if (failure) throw failure;
          const requeueAfterMs = nextAvailability(active, owner.spec.minReadySeconds ?? 0, context.now());
          return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
        },
      };
    },
  });
}

async function manageReplicas(
  context: ControllerContext,
  control: PodControl,
  flavor: Flavor,
  owner: Replicated,
  key: string,
  active: readonly Pod[],
): Promise<void> {
  const missing = (owner.spec.replicas ?? 1) - active.length;
  if (missing > 0) {
    const template = owner.spec.template!;
    await slowStart(Array.from({ length: Math.min(missing, BURST) }), () =>
      control.create(key, owner, flavor.type, podFromTemplate(template, `${owner.metadata.name}-`)),
    );
  } else if (missing < 0) {
    const victims = rankForDeletion(active, relatedPods(context, flavor, owner, active)).slice(
      0,
      Math.min(-missing, BURST),
    );
    await inParallel(victims, (pod) => control.delete(key, owner, pod));
  }
}

/** Pods of all ReplicaSets with the same owner (of one Deployment): they too make a node crowded. */
function relatedPods(
  context: ControllerContext,
  flavor: Flavor,
  owner: Replicated,
  own: readonly Pod[],
): readonly Pod[] {
  const controller = owner.metadata.ownerReferences?.find((reference) => reference.controller);
  if (!controller) return own;
  const siblings = context
    .informer(flavor.type)
    .list(owner.metadata.namespace)
    .filter((other) =>
      other.metadata.ownerReferences?.some((reference) => reference.controller && reference.uid === controller.uid),
    );
  const pods = context.informer(Pods);
  return siblings.flatMap((sibling) => pods.byIndex(BY_CONTROLLER, sibling.metadata.uid!)).filter(isPodActive);
}

function statusOf(
  owner: Replicated,
  claimed: readonly Pod[],
  failure: unknown,
  active: readonly Pod[],
  now: number,
): ReplicaSetStatus {
  const labels = owner.spec.template?.metadata?.labels ?? {};
  const fullyLabeled = labelSelectorMatcher({ matchLabels: labels });
  const ready = active.filter(isPodReady);
  const old = owner.status;
  const terminating = claimed.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod)).length;
  const conditions = failure
    ? withCondition(
        old?.conditions,
        {
          type: 'ReplicaFailure',
          status: 'True',
          reason: active.length > (owner.spec.replicas ?? 1) ? 'FailedDelete' : 'FailedCreate',
          message: (failure as Error).message,
        },
        now,
      )
    : withoutCondition(old?.conditions, 'ReplicaFailure');
  const counts = {
    fullyLabeledReplicas: active.filter((pod) => fullyLabeled.matches(pod.metadata.labels)).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isPodAvailable(pod, owner.spec.minReadySeconds ?? 0, now)).length,
  };
  return {
    replicas: active.length,
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    ...(owner.kind === 'ReplicaSet' ? { terminatingReplicas: terminating } : {}),
    ...(conditions.length ? { conditions } : {}),
    observedGeneration: owner.metadata.generation ?? 0,
  };
}

async function writeStatus(
  context: ControllerContext,
  flavor: Flavor,
  owner: Replicated,
  status: ReplicaSetStatus,
): Promise<void> {
  if (canonical(status) === canonical(owner.status ?? {})) return;
  try {
    await context.client.for(flavor.type).updateStatus({ ...owner, status });
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return;
    throw error;
  }
}
