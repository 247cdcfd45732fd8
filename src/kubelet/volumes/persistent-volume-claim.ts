import type { PersistentVolume, Pod, Volume } from '../../api/types/core.v1.gen.ts';
import type { Client } from '../../client/client.ts';
import { PersistentVolumeClaims, PersistentVolumes } from '../../client/resource-types.gen.ts';

/** The PersistentVolume behind a pod's claim (or its generic ephemeral volume). Throws an Error while there is none to use. */
export async function resolveClaim(
  client: Client,
  pod: Pod,
  volume: Volume,
): Promise<{ persistentVolume: PersistentVolume; readOnly: boolean }> {
  const namespace = pod.metadata.namespace ?? 'default';
  const name = volume.ephemeral
    ? `${pod.metadata.name}-${volume.name}`
    : (volume.persistentVolumeClaim?.claimName ?? '');
  const claim = await client
    .for(PersistentVolumeClaims)
    .get({ namespace, name })
    .catch((error: Error) => {
      throw new Error(
        `error processing PVC ${namespace}/${name}: failed to fetch PVC from API server: ${error.message}`,
        { cause: error },
      );
    });
  if (claim.metadata.deletionTimestamp)
    throw new Error(`error processing PVC ${namespace}/${name}: PVC is being deleted`);
  if (volume.ephemeral && !claim.metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid)) {
    throw new Error(
      `error processing PVC ${namespace}/${name}: PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`,
    );
  }
  const volumeName = claim.spec?.volumeName;
  if (claim.status?.phase !== 'Bound' || !volumeName)
    throw new Error(`error processing PVC ${namespace}/${name}: PVC is not bound`);
  const persistentVolume = await client.for(PersistentVolumes).get({ name: volumeName });
  const owner = persistentVolume.spec.claimRef;
  if (owner?.uid !== claim.metadata.uid) {
    throw new Error(
      `error processing PVC ${namespace}/${name}: PV ${volumeName} is bound to another PVC (UID ${owner?.uid ?? ''})`,
    );
  }
  return { persistentVolume, readOnly: volume.persistentVolumeClaim?.readOnly ?? false };
}
