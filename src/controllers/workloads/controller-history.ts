import type { ControllerRevision } from '../../api/types/apps.v1.gen.ts';
import type { PodTemplateSpec } from '../../api/types/core.v1.gen.ts';
import type { JSONObject } from '../../apimachinery/json.ts';
import type { KubeObject, LabelSelector } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ResourceType } from '../../client/client.ts';
import { ControllerRevisions } from '../../client/resource-types.gen.ts';
import { type ControllerContext, controllerReference, type OwnWrites } from '../runtime/index.ts';
import { claim } from './ownership.ts';
import { canonical, safeHash } from './template-hash.ts';

/** A workload whose templates are remembered as ControllerRevisions. */
export interface RevisionedOwner extends KubeObject {
  readonly spec: { readonly selector: LabelSelector; readonly template: PodTemplateSpec };
  readonly status?: { readonly collisionCount?: number };
}

export interface HistoryOptions {
  readonly owner: RevisionedOwner;
  readonly ownerType: ResourceType<KubeObject>;
  /** The label of a revision that carries its hash. */
  readonly hashLabel: string;
  readonly writes: OwnWrites<ControllerRevision>;
  readonly key: string;
}

export interface History {
  /** Of the owner's template as it is; has the highest number. */
  readonly current: ControllerRevision;
  /** All others, oldest first. */
  readonly old: readonly ControllerRevision[];
  readonly collisionCount: number | undefined;
}

/** Finds or makes the revision of the owner's template. */
export async function syncHistory(context: ControllerContext, options: HistoryOptions): Promise<History> {
  const { owner, ownerType, writes, key } = options;
  const claimed = await claim(context, {
    owner,
    ownerType,
    selector: owner.spec.selector,
    informer: context.informer(ControllerRevisions),
  });
  const revisions = claimed.sort(byNumber);
  const data = snapshotOf(owner.spec.template);
  const wanted = canonical(data);
  const next = (revisions.at(-1)?.revision ?? 0) + 1;
  const equal = revisions.findLast((revision) => canonical(revision.data) === wanted);
  if (!equal) return { ...(await create(context, options, data, next)), old: revisions };
  const old = revisions.filter((revision) => revision !== equal);
  const { collisionCount } = owner.status ?? {};
  if (equal === revisions.at(-1)) return { current: equal, old, collisionCount };
  const current = await context.client.for(ControllerRevisions).update({ ...equal, revision: next });
  writes.wrote(key, current);
  return { current, old, collisionCount };
}

async function create(
  context: ControllerContext,
  { owner, ownerType, hashLabel, writes, key }: HistoryOptions,
  data: JSONObject,
  revision: number,
): Promise<Pick<History, 'current' | 'collisionCount'>> {
  const { name, namespace = '', annotations } = owner.metadata;
  for (let collisionCount = owner.status?.collisionCount; ; collisionCount = (collisionCount ?? 0) + 1) {
    const hash = safeHash(data, collisionCount);
    try {
      const current = await context.client.for(ControllerRevisions).create({
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: {
          name: `${name}-${hash}`,
          namespace,
          labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
          ...(annotations ? { annotations } : {}),
          ownerReferences: [controllerReference(owner, ownerType)],
        },
        data,
        revision,
      });
      writes.wrote(key, current);
      return { current, collisionCount };
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
      const taken = await context.client.for(ControllerRevisions).get({ name: `${name}-${hash}`, namespace });
      const ours = taken.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid);
      if (ours && canonical(taken.data) === canonical(data)) return { current: taken, collisionCount };
    }
  }
}

/** The patch that brings an owner back to a template, as `kubectl rollout undo` applies it. */
function snapshotOf(template: PodTemplateSpec): JSONObject {
  return { spec: { template: { ...(template as unknown as JSONObject), $patch: 'replace' } } };
}

export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (revision.data as unknown as { spec: { template: JSONObject } }).spec.template;
  return template as unknown as PodTemplateSpec;
}

/** Deletes the oldest of `old` beyond `limit`, except those still in use. */
export async function truncateHistory(
  context: ControllerContext,
  old: readonly ControllerRevision[],
  limit: number,
  inUse: (revision: ControllerRevision) => boolean,
): Promise<void> {
  const unused = old.filter((revision) => !revision.metadata.deletionTimestamp && !inUse(revision));
  for (const { metadata } of unused.slice(0, Math.max(0, unused.length - limit)))
    try {
      await context.client
        .for(ControllerRevisions)
        .delete({ name: metadata.name, namespace: metadata.namespace! }, { preconditions: { uid: metadata.uid! } });
    } catch (error) {
      if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
    }
}

function byNumber(a: ControllerRevision, b: ControllerRevision): number {
  return (
    a.revision - b.revision ||
    (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
    a.metadata.name.localeCompare(b.metadata.name)
  );
}
