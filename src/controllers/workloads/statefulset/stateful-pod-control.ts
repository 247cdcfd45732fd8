import type { ControllerRevision, StatefulSet } from '../../../api/types/apps.v1.gen.ts';
import type { PersistentVolumeClaim, Pod } from '../../../api/types/core.v1.gen.ts';
import type { OwnerReference } from '../../../apimachinery/meta.ts';
import { controllerOf } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { PersistentVolumeClaims, Pods, StatefulSets } from '../../../client/resource-types.gen.ts';
import { type ControllerContext, controllerReference, type OwnWrites } from '../../runtime/index.ts';
import { claimsOf, identityLabels, inRange, statefulPod } from './stateful-pods.ts';

/** Makes, mends and deletes pods of StatefulSets and their claims, with the events users know. */
export class StatefulPodControl {
  readonly #context: ControllerContext;
  readonly #writes: OwnWrites<Pod>;

  constructor(context: ControllerContext, writes: OwnWrites<Pod>) {
    this.#context = context;
    this.#writes = writes;
  }

  /** Claims first. False when a claim of a former pod is still about to go. */
  async create(key: string, set: StatefulSet, ordinal: number, revision: ControllerRevision): Promise<boolean> {
    const pod = statefulPod(set, ordinal, revision);
    if (this.#hasStaleClaim(set, ordinal)) return false;
    await this.createClaims(set, ordinal);
    await this.#noted(set, 'create', pod.metadata.name, async () => {
      const created = await this.#context.client.for(Pods).create({
        ...pod,
        metadata: {
          ...pod.metadata,
          namespace: set.metadata.namespace!,
          ownerReferences: [controllerReference(set, StatefulSets)],
        },
      });
      this.#writes.wrote(key, created);
    });
    return true;
  }

  async delete(key: string, set: StatefulSet, pod: Pod): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    await this.#noted(set, 'delete', name, async () => {
      try {
        await this.#context.client.for(Pods).delete({ name, namespace: namespace! }, { preconditions: { uid: uid! } });
        this.#writes.deleted(key, pod);
      } catch (error) {
        if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
      }
    });
  }

  /** Gives a pod back the labels by which it is known. */
  async mendIdentity(key: string, set: StatefulSet, ordinal: number, pod: Pod): Promise<void> {
    const labels = identityLabels(set, ordinal);
    if (Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value)) return;
    const { name, namespace, uid } = pod.metadata;
    await this.#noted(set, 'update', name, async () => {
      const mended = await this.#context.client
        .for(Pods)
        .patch({ name, namespace: namespace! }, 'merge', { metadata: { uid, labels } });
      this.#writes.wrote(key, mended);
    });
  }

  async createClaims(set: StatefulSet, ordinal: number): Promise<void> {
    const claims = this.#context.informer(PersistentVolumeClaims);
    for (const { claim } of claimsOf(set, ordinal)) {
      const { name, namespace } = claim.metadata;
      const existing = claims.get(`${namespace}/${name}`);
      if (existing?.metadata.deletionTimestamp) throw new Error(`pvc ${name} is being deleted`);
      if (existing) continue;
      const pod = `${set.metadata.name}-${ordinal}`;
      const { events, client } = this.#context;
      try {
        await client.for(PersistentVolumeClaims).create({
          ...claim,
          metadata: { ...claim.metadata, ...referencesOf(wantedOwner(set, ordinal, undefined)) },
        });
        const message = `create Claim ${name} Pod ${pod} in StatefulSet ${set.metadata.name} success`;
        events.event(set, 'Normal', 'SuccessfulCreate', message);
      } catch (error) {
        if (isStatusError(error, 'AlreadyExists')) continue;
        const message = `create Claim ${name} for Pod ${pod} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`;
        events.event(set, 'Warning', 'FailedCreate', message);
        throw error;
      }
    }
  }

  /** Whom a claim goes with, by the set's retention policy: the set, a pod that is scaled away, or nobody. */
  async applyRetention(set: StatefulSet, ordinal: number, pod: Pod): Promise<void> {
    const claims = this.#context.informer(PersistentVolumeClaims);
    for (const { claim } of claimsOf(set, ordinal)) {
      const existing = claims.get(`${claim.metadata.namespace}/${claim.metadata.name}`);
      if (!existing || existing.metadata.deletionTimestamp) continue;
      const ownerReferences = retained(existing, set, ordinal, pod);
      if (!ownerReferences) continue;
      await this.#context.client
        .for(PersistentVolumeClaims)
        .update({ ...existing, metadata: { ...existing.metadata, ownerReferences } });
    }
  }

  #hasStaleClaim(set: StatefulSet, ordinal: number): boolean {
    const claims = this.#context.informer(PersistentVolumeClaims);
    return claimsOf(set, ordinal).some(({ claim }) =>
      claims
        .get(`${claim.metadata.namespace}/${claim.metadata.name}`)
        ?.metadata.ownerReferences?.some(
          ({ kind, name }) => kind === 'Pod' && name === `${set.metadata.name}-${ordinal}`,
        ),
    );
  }

  async #noted(set: StatefulSet, verb: string, pod: string, work: () => Promise<void>): Promise<void> {
    const { events } = this.#context;
    const what = `${verb} Pod ${pod} in StatefulSet ${set.metadata.name}`;
    const title = `${verb[0]!.toUpperCase()}${verb.slice(1)}`;
    try {
      await work();
      events.event(set, 'Normal', `Successful${title}`, `${what} successful`);
    } catch (error) {
      const terminating =
        isStatusError(error) && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating');
      if (!terminating)
        events.event(set, 'Warning', `Failed${title}`, `${what} failed error: ${(error as Error).message}`);
      throw error;
    }
  }
}

function wantedOwner(set: StatefulSet, ordinal: number, pod: Pod | undefined): OwnerReference | undefined {
  const { whenScaled = 'Retain', whenDeleted = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  if (whenScaled === 'Delete' && pod && !inRange(set, ordinal)) return controllerReference(pod, Pods);
  return whenDeleted === 'Delete' ? controllerReference(set, StatefulSets) : undefined;
}

const referencesOf = (owner: OwnerReference | undefined) => (owner ? { ownerReferences: [owner] } : {});

/** The claim's owners as they should be; undefined when they are, or when somebody else controls the claim. */
function retained(
  claim: PersistentVolumeClaim,
  set: StatefulSet,
  ordinal: number,
  pod: Pod,
): readonly OwnerReference[] | undefined {
  const wanted = wantedOwner(set, ordinal, pod);
  const existing = claim.metadata.ownerReferences ?? [];
  const ours = ({ kind, name, uid }: OwnerReference) =>
    uid === set.metadata.uid || (kind === 'Pod' && name === pod.metadata.name);
  const controller = controllerOf(claim);
  if (controller && !ours(controller)) return undefined;
  const current = existing.filter(ours);
  const same = wanted ? current.length === 1 && current[0]!.uid === wanted.uid : current.length === 0;
  if (same) return undefined;
  return [...existing.filter((reference) => !ours(reference)), ...(wanted ? [wanted] : [])];
}
