import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core.v1.gen.ts';
import type { VolumeAttributesClass } from '../../api/types/storage.v1.gen.ts';
import {
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
  VolumeAttributesClasses,
} from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import { isPodTerminal } from '../pod-state.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';

const CLAIM_FINALIZER = 'kubernetes.io/pvc-protection';
const VOLUME_FINALIZER = 'kubernetes.io/pv-protection';
const ATTRIBUTES_CLASS_FINALIZER = 'kubernetes.io/vac-protection';
const BY_CLAIM = 'pod-claim';
const BY_ATTRIBUTES_CLASS = 'attributes-class';

/** A claim that is deleted stays until no scheduled pod uses it. */
export function claimProtectionController(): ControllerDefinition {
  return defineController({
    name: 'persistentvolumeclaim-protection-controller',
    watches: [
      watch(PersistentVolumeClaims, {
        when: ({ type, object }) => type !== 'delete' && needsWork(object, CLAIM_FINALIZER),
      }),
      watch(Pods, {
        when: ({ type, object, old }) =>
          type === 'delete' || isPodTerminal(object) || object.metadata.uid !== old?.metadata.uid,
        keys: claimKeys,
        indexes: { [BY_CLAIM]: claimKeys },
      }),
    ],
    async reconcile({ key, namespace }, { client, informer }) {
      const claim = informer(PersistentVolumeClaims).get(key);
      if (!claim || !needsWork(claim, CLAIM_FINALIZER)) return;
      const claims = client.for(PersistentVolumeClaims);
      if (!claim.metadata.deletionTimestamp) {
        await claims.update(withFinalizer(claim, CLAIM_FINALIZER)).catch(ignoreNotFound);
        return;
      }
      if (
        informer(Pods)
          .byIndex(BY_CLAIM, key)
          .some((pod) => uses(pod, claim))
      )
        return;
      // The cache may miss a pod that was just scheduled.
      const live = await client.for(Pods).list({ namespace });
      if (live.items.some((pod) => uses(pod, claim))) return { requeueAfterMs: 1_000 };
      await claims.update(withoutFinalizer(claim, CLAIM_FINALIZER)).catch(ignoreNotFound);
    },
  });
}

/** A volume that is deleted stays until it is bound no more. */
export function volumeProtectionController(): ControllerDefinition {
  return defineController({
    name: 'persistentvolume-protection-controller',
    watches: [
      watch(PersistentVolumes, {
        when: ({ type, object }) => type !== 'delete' && needsWork(object, VOLUME_FINALIZER),
      }),
    ],
    async reconcile({ key }, { client, informer }) {
      const volume = informer(PersistentVolumes).get(key);
      if (!volume || !needsWork(volume, VOLUME_FINALIZER)) return;
      const volumes = client.for(PersistentVolumes);
      if (!volume.metadata.deletionTimestamp)
        await volumes.update(withFinalizer(volume, VOLUME_FINALIZER)).catch(ignoreNotFound);
      else if (volume.status?.phase !== 'Bound')
        await volumes.update(withoutFinalizer(volume, VOLUME_FINALIZER)).catch(ignoreNotFound);
    },
  });
}

/** A VolumeAttributesClass that is deleted stays until no claim and no volume names it. */
export function attributesClassProtectionController(): ControllerDefinition {
  return defineController({
    name: 'volumeattributesclass-protection-controller',
    watches: [
      watch(VolumeAttributesClasses, {
        when: ({ type, object }) => type !== 'delete' && needsWork(object, ATTRIBUTES_CLASS_FINALIZER),
      }),
      watch(PersistentVolumeClaims, {
        keys: attributesClassesOfClaim,
        indexes: { [BY_ATTRIBUTES_CLASS]: attributesClassesOfClaim },
      }),
      watch(PersistentVolumes, {
        keys: attributesClassOfVolume,
        indexes: { [BY_ATTRIBUTES_CLASS]: attributesClassOfVolume },
      }),
    ],
    async reconcile({ key }, { client, informer }) {
      const attributesClass = informer(VolumeAttributesClasses).get(key);
      if (!attributesClass || !needsWork(attributesClass, ATTRIBUTES_CLASS_FINALIZER)) return;
      const classes = client.for(VolumeAttributesClasses);
      if (!attributesClass.metadata.deletionTimestamp) {
        await classes.update(withFinalizer(attributesClass, ATTRIBUTES_CLASS_FINALIZER)).catch(ignoreNotFound);
        return;
      }
      const used = [PersistentVolumeClaims, PersistentVolumes].some(
        (type) => informer<PersistentVolume | PersistentVolumeClaim>(type).byIndex(BY_ATTRIBUTES_CLASS, key).length > 0,
      );
      if (!used)
        await classes.update(withoutFinalizer(attributesClass, ATTRIBUTES_CLASS_FINALIZER)).catch(ignoreNotFound);
    },
  });
}

type Protected = PersistentVolume | PersistentVolumeClaim | VolumeAttributesClass;

/** It is being deleted with the finalizer, or lives without it. */
const needsWork = ({ metadata }: Protected, finalizer: string) =>
  (metadata.deletionTimestamp !== undefined) === (metadata.finalizers?.includes(finalizer) ?? false);

function withFinalizer<T extends Protected>(object: T, finalizer: string): T {
  const finalizers = [...(object.metadata.finalizers ?? []), finalizer];
  return { ...object, metadata: { ...object.metadata, finalizers } };
}
function withoutFinalizer<T extends Protected>(object: T, finalizer: string): T {
  const finalizers = object.metadata.finalizers?.filter((name) => name !== finalizer);
  return { ...object, metadata: { ...object.metadata, finalizers } };
}

function claimKeys(pod: Pod): readonly string[] {
  const { namespace, name } = pod.metadata;
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim) return [`${namespace}/${volume.persistentVolumeClaim.claimName}`];
    return volume.ephemeral ? [`${namespace}/${name}-${volume.name}`] : [];
  });
}

/** All that a claim has, asks for and is being changed to. */
function attributesClassesOfClaim({ spec, status }: PersistentVolumeClaim): readonly string[] {
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.filter((name) => name !== undefined && name !== ''))] as string[];
}

function attributesClassOfVolume({ spec }: PersistentVolume): readonly string[] {
  return spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];
}

/** A pod that is not scheduled yet won't be started with a claim that is being deleted. */
function uses(pod: Pod, { metadata }: PersistentVolumeClaim): boolean {
  if (!pod.spec?.nodeName) return false;
  return (pod.spec.volumes ?? []).some((volume) => {
    if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName === metadata.name;
    const own = metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid);
    return (
      Boolean(volume.ephemeral) &&
      own === true &&
      !isPodTerminal(pod) &&
      metadata.name === `${pod.metadata.name}-${volume.name}`
    );
  });
}
