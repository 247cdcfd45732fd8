import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import { PersistentVolumeClaims, PersistentVolumes } from '../../client/resource-types.gen.ts';
import { timestamp } from '../conditions.ts';
import type { ControllerContext } from '../runtime/index.ts';

export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';

type Context = Pick<ControllerContext, 'client' | 'now'>;

/** Ties a volume and a claim together, in four steps of which any may have been done before. */
export async function bind(context: Context, volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
  const claimed = await claimVolume(context, volume, claim);
  const bound = await setVolumePhase(context, claimed, 'Bound', '');
  const named = await nameVolume(context, claim, bound);
  await setClaimPhase(context, named, 'Bound', bound);
}

async function claimVolume({ client }: Context, volume: PersistentVolume, claim: PersistentVolumeClaim) {
  if (volume.spec.claimRef?.uid && volume.spec.claimRef.uid === claim.metadata.uid) return volume;
  const { name, namespace, uid, resourceVersion } = claim.metadata;
  const annotations = volume.spec.claimRef
    ? volume.metadata.annotations
    : { ...volume.metadata.annotations, [BOUND_BY_CONTROLLER]: 'yes' };
  const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid, resourceVersion };
  return client.for(PersistentVolumes).update({
    ...volume,
    metadata: { ...volume.metadata, annotations },
    spec: { ...volume.spec, claimRef },
  });
}

async function nameVolume({ client }: Context, claim: PersistentVolumeClaim, volume: PersistentVolume) {
  const annotations: Record<string, string> = { ...claim.metadata.annotations };
  if (claim.spec.volumeName === volume.metadata.name && annotations[BIND_COMPLETED]) return claim;
  if (!claim.spec.volumeName) annotations[BOUND_BY_CONTROLLER] = 'yes';
  annotations[BIND_COMPLETED] = 'yes';
  return client.for(PersistentVolumeClaims).update({
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  });
}

export async function setVolumePhase(
  { client, now }: Context,
  volume: PersistentVolume,
  phase: string,
  message: string,
): Promise<PersistentVolume> {
  if (volume.status?.phase === phase && (volume.status.message ?? '') === message) return volume;
  const { message: _old, ...status } = volume.status ?? {};
  const lastPhaseTransitionTime = status.phase === phase ? status.lastPhaseTransitionTime : timestamp(now());
  return client.for(PersistentVolumes).updateStatus({
    ...volume,
    status: { ...status, phase, lastPhaseTransitionTime, ...(message ? { message } : {}) },
  });
}

export async function setClaimPhase(
  { client }: Context,
  claim: PersistentVolumeClaim,
  phase: string,
  volume?: PersistentVolume,
): Promise<PersistentVolumeClaim> {
  const status: PersistentVolumeClaim['status'] = volume
    ? {
        ...claim.status,
        phase,
        accessModes: volume.spec.accessModes,
        // A claim that was resized knows better than its volume.
        capacity:
          claim.status?.phase === 'Bound' && claim.status.capacity ? claim.status.capacity : volume.spec.capacity,
      }
    : { ...claim.status, phase, accessModes: undefined, capacity: undefined };
  const old = claim.status;
  if (
    old?.phase === phase &&
    JSON.stringify(old.accessModes) === JSON.stringify(status.accessModes) &&
    JSON.stringify(old.capacity) === JSON.stringify(status.capacity)
  )
    return claim;
  return client.for(PersistentVolumeClaims).updateStatus({ ...claim, status });
}

/** Takes the claim off a volume: wholly if a controller put it there, else the reservation stays. */
export async function unbind(context: Context, volume: PersistentVolume): Promise<void> {
  const { [BOUND_BY_CONTROLLER]: byController, ...annotations } = volume.metadata.annotations ?? {};
  const { claimRef, ...spec } = volume.spec;
  const { uid: _uid, resourceVersion: _version, ...reservation } = claimRef ?? {};
  const freed = await context.client.for(PersistentVolumes).update({
    ...volume,
    metadata: { ...volume.metadata, annotations },
    spec: byController || !claimRef ? spec : { ...spec, claimRef: reservation },
  });
  await setVolumePhase(context, freed, 'Available', '');
}
