import type { Deployment, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import { draft } from '../../../apimachinery/json.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { Deployments, ReplicaSets } from '../../../client/resource-types.gen.ts';
import { type ControllerContext, controllerReference, type OwnWrites } from '../../runtime/index.ts';
import { safeHash, sameTemplate, TEMPLATE_HASH } from '../template-hash.ts';
import { DESIRED_REPLICAS, MAX_REPLICAS, newReplicaSetSize, replicasOf, rollingLimits } from './replica-counts.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
/** Of the Deployment, never copied to its ReplicaSets. */
const OWN_ANNOTATIONS = [
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
];

/** A 64 bit number: beyond what a JavaScript number counts exactly. 0 for what can't be read. */
export function revisionOf(object: {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}): bigint {
  const text = object.metadata.annotations?.[REVISION] ?? '';
  return /^[+-]?\d+$/.test(text) ? BigInt.asIntN(64, BigInt(text)) : 0n;
}

/** The set whose template is the Deployment's; of several the oldest, as upstream. */
export function findNewReplicaSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets]
    .sort(
      (a, b) =>
        (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
        a.metadata.name.localeCompare(b.metadata.name),
    )
    .find((set) => sameTemplate(set.spec.template, deployment.spec.template));
}

export interface RevisionStep {
  readonly newSet: ReplicaSet | undefined;
  /** It was made just now: progress counts from here. */
  readonly created: boolean;
  /** The hash was taken by another template: the Deployment's collision count grew, and its event will bring us back. */
  readonly collided: boolean;
}

/** The new ReplicaSet could not be made; the message is for users. */
export class ReplicaSetCreateError extends Error {
  override readonly name = 'ReplicaSetCreateError';
}

function createError(name: string, error: unknown): unknown {
  const terminating =
    isStatusError(error) && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating');
  if (terminating) return error;
  const message = `Failed to create new replica set "${name}": ${(error as Error).message}`;
  return new ReplicaSetCreateError(message, { cause: error });
}

/** Finds or makes the new set, and gives it the highest revision. */
export async function ensureNewReplicaSet(
  context: ControllerContext,
  writes: OwnWrites<ReplicaSet>,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  create: boolean,
): Promise<RevisionStep> {
  const existing = findNewReplicaSet(deployment, sets);
  const others = sets.filter((set) => set !== existing).map(revisionOf);
  const revision = String(others.reduce((highest, own) => (own > highest ? own : highest), 0n) + 1n);
  if (existing)
    return {
      newSet: await updateExisting(context, writes, deployment, existing, revision),
      created: false,
      collided: false,
    };
  if (!create) return { newSet: undefined, created: false, collided: false };
  return createReplicaSet(context, writes, deployment, sets, revision);
}

async function updateExisting(
  context: ControllerContext,
  writes: OwnWrites<ReplicaSet>,
  deployment: Deployment,
  set: ReplicaSet,
  revision: string,
): Promise<ReplicaSet> {
  const annotations = { ...set.metadata.annotations, ...copiedAnnotations(deployment) };
  if (revisionOf(set) < BigInt(revision)) {
    if (annotations[REVISION])
      annotations[REVISION_HISTORY] = [annotations[REVISION_HISTORY], annotations[REVISION]].filter(Boolean).join(',');
    annotations[REVISION] = revision;
  }
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  if (sameAnnotations(annotations, set.metadata.annotations) && (set.spec.minReadySeconds ?? 0) === minReadySeconds)
    return set;
  const updated = await context.client
    .for(ReplicaSets)
    .update({ ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, minReadySeconds } });
  writes.wrote(`${deployment.metadata.namespace}/${deployment.metadata.name}`, updated);
  return updated;
}

async function createReplicaSet(
  context: ControllerContext,
  writes: OwnWrites<ReplicaSet>,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  revision: string,
): Promise<RevisionStep> {
  const key = `${deployment.metadata.namespace}/${deployment.metadata.name}`;
  const { namespace, name } = deployment.metadata;
  const hash = safeHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
  const template = draft(deployment.spec.template);
  template.metadata = { ...template.metadata!, labels: { ...template.metadata?.labels, [TEMPLATE_HASH]: hash } };
  const selector = draft(deployment.spec.selector);
  const object: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace: namespace!,
      labels: template.metadata.labels!,
      annotations: {
        ...copiedAnnotations(deployment),
        [REVISION]: revision,
        [DESIRED_REPLICAS]: String(replicasOf(deployment)),
        [MAX_REPLICAS]: String(replicasOf(deployment) + rollingLimits(deployment).maxSurge),
      },
      ownerReferences: [controllerReference(deployment, Deployments)],
    },
    spec: {
      minReadySeconds: deployment.spec.minReadySeconds ?? 0,
      replicas: 0,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH]: hash } },
      template,
    },
  };
  const replicas = newReplicaSetSize(deployment, sets, object);
  try {
    const newSet = await context.client.for(ReplicaSets).create({ ...object, spec: { ...object.spec, replicas } });
    writes.wrote(key, newSet);
    if (replicas > 0)
      context.events.event(
        deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled up replica set ${newSet.metadata.name} from 0 to ${replicas}`,
      );
    return { newSet, created: true, collided: false };
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw createError(object.metadata.name, error);
    const taken = await context.client.for(ReplicaSets).get({ name: object.metadata.name, namespace: namespace! });
    const ours = taken.metadata.ownerReferences?.some(
      ({ uid, controller }) => controller && uid === deployment.metadata.uid,
    );
    if (ours && sameTemplate(taken.spec.template, deployment.spec.template))
      return { newSet: taken, created: false, collided: false };
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await context.client
      .for(Deployments)
      .updateStatus({ ...deployment, status: { ...deployment.status, collisionCount } });
    return { newSet: undefined, created: false, collided: true };
  }
}

function copiedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.includes(key)),
  );
}

function sameAnnotations(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
