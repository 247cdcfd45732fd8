import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import type { StorageClass } from '../../api/types/storage.v1.gen.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import { PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import { type ControllerContext, type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { BIND_COMPLETED, bind, setClaimPhase, setVolumePhase, unbind } from './claim-binding.ts';
import { classOf, findVolume, isClaimedBy, leavesClassOpen, mismatch } from './volume-matching.ts';

const CLAIM = 'claim ';
const VOLUME = 'volume ';
const IS_DEFAULT_CLASS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];
const PROVISIONER = ['volume.kubernetes.io/storage-provisioner', 'volume.beta.kubernetes.io/storage-provisioner'];
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
const BY_CLAIM = 'volume-claim';

/** Binds claims to volumes, asks provisioners for volumes that are missing, and keeps the phases of both. */
export function persistentVolumeBinder(): ControllerDefinition {
  return defineController({
    name: 'persistentvolume-binder-controller',
    // One at a time: two claims must not be given the same volume.
    concurrency: 1,
    watches: [
      watch(PersistentVolumeClaims, {
        keys: (claim, { informer }) => {
          const { volumeName } = claim.spec;
          const reserved = informer(PersistentVolumes).byIndex(BY_CLAIM, objectKey(claim));
          const names = new Set(reserved.map((volume) => volume.metadata.name));
          if (volumeName) names.add(volumeName);
          return [CLAIM + objectKey(claim), ...[...names].map((name) => VOLUME + name)];
        },
      }),
      watch(PersistentVolumes, {
        keys: volumeKeys,
        indexes: {
          [BY_CLAIM]: ({ spec }) => (spec.claimRef ? [`${spec.claimRef.namespace}/${spec.claimRef.name}`] : []),
        },
      }),
      watch(StorageClasses, { keys: (_class, context) => pendingClaims(context) }),
    ],
    reconcile({ key }, context) {
      if (key.startsWith(VOLUME)) return syncVolume(key.slice(VOLUME.length), context);
      return syncClaim(key.slice(CLAIM.length), context);
    },
  });
}

function volumeKeys(volume: PersistentVolume, context: ControllerContext): readonly string[] {
  const { claimRef } = volume.spec;
  const own = VOLUME + volume.metadata.name;
  if (claimRef) return [own, `${CLAIM}${claimRef.namespace}/${claimRef.name}`];
  // A volume that is free may be what a claim waits for.
  return volume.status?.phase === 'Available' ? [own, ...pendingClaims(context, classOf(volume))] : [own];
}

function pendingClaims({ informer }: ControllerContext, storageClass?: string): string[] {
  return informer(PersistentVolumeClaims)
    .list()
    .filter(
      (claim) =>
        claim.status?.phase !== 'Bound' &&
        (storageClass === undefined || classOf(claim) === storageClass || leavesClassOpen(claim)),
    )
    .map((claim) => CLAIM + objectKey(claim));
}

async function syncClaim(key: string, context: ControllerContext): Promise<void> {
  const claim = context.informer(PersistentVolumeClaims).get(key);
  if (!claim) return;
  if (claim.metadata.annotations?.[BIND_COMPLETED]) return syncBoundClaim(claim, context);
  if (claim.spec.volumeName) return syncNamedClaim(claim, claim.spec.volumeName, context);
  if (claim.metadata.deletionTimestamp) return;
  const { informer } = context;
  if (leavesClassOpen(claim)) {
    const storageClass = defaultClass(informer(StorageClasses).list());
    if (storageClass) {
      const spec = { ...claim.spec, storageClassName: storageClass.metadata.name };
      // Its event brings the claim back with the class.
      await context.client.for(PersistentVolumeClaims).update({ ...claim, spec });
      return;
    }
  }
  const storageClass = informer(StorageClasses).get(classOf(claim));
  const delayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const volume = findVolume(informer(PersistentVolumes).list(), claim, delayed);
  if (volume) return bind(context, volume, claim);
  await setClaimPhase(context, claim, 'Pending');
  if (delayed && !claim.metadata.annotations?.[SELECTED_NODE]) {
    tell(context, claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
    return;
  }
  await provision(claim, storageClass, context);
}

async function provision(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
  context: ControllerContext,
): Promise<void> {
  const name = classOf(claim);
  if (!name)
    return tell(
      context,
      claim,
      'Normal',
      'FailedBinding',
      'no persistent volumes available for this claim and no storage class is set',
    );
  if (!storageClass)
    return tell(context, claim, 'Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${name}" not found`);
  const { provisioner } = storageClass;
  if (provisioner === NO_PROVISIONER)
    return tell(context, claim, 'Warning', 'ProvisioningFailed', `no volume plugin matched name: ${provisioner}`);
  const annotations = { ...claim.metadata.annotations };
  if (PROVISIONER.some((annotation) => annotations[annotation] !== provisioner)) {
    for (const annotation of PROVISIONER) annotations[annotation] = provisioner;
    // Read afresh: the phase may just have been written.
    const { namespace, name: claimName } = claim.metadata;
    await context.client
      .for(PersistentVolumeClaims)
      .patch({ namespace, name: claimName }, 'merge', { metadata: { annotations } });
  }
  tell(
    context,
    claim,
    'Normal',
    'ExternalProvisioning',
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
  );
}

async function syncNamedClaim(claim: PersistentVolumeClaim, name: string, context: ControllerContext): Promise<void> {
  const volume = context.informer(PersistentVolumes).get(name);
  if (!volume) {
    await setClaimPhase(context, claim, 'Pending');
    return;
  }
  if (volume.spec.claimRef && !isClaimedBy(volume, claim)) {
    tell(context, claim, 'Warning', 'FailedBinding', `volume "${name}" already bound to a different claim.`);
    await setClaimPhase(context, claim, 'Pending');
    return;
  }
  const why = mismatch(volume, claim);
  if (why) {
    tell(context, claim, 'Warning', 'VolumeMismatch', `Cannot bind to requested volume "${name}": ${why}`);
    await setClaimPhase(context, claim, 'Pending');
    return;
  }
  await bind(context, volume, claim);
}

async function syncBoundClaim(claim: PersistentVolumeClaim, context: ControllerContext): Promise<void> {
  const lost = async (reason: string, message: string) => {
    if (claim.status?.phase === 'Lost') return;
    await setClaimPhase(context, claim, 'Lost');
    tell(context, claim, 'Warning', reason, message);
  };
  const { volumeName } = claim.spec;
  if (!volumeName)
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  const volume =
    context.informer(PersistentVolumes).get(volumeName) ??
    (await context.client.for(PersistentVolumes).get({ name: volumeName }).catch(ignoreNotFound));
  if (!volume) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  if (volume.spec.claimRef && volume.spec.claimRef.uid !== claim.metadata.uid)
    return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  await bind(context, volume, claim);
}

async function syncVolume(name: string, context: ControllerContext): Promise<void> {
  const volume = context.informer(PersistentVolumes).get(name);
  if (!volume) return;
  const { claimRef } = volume.spec;
  if (!claimRef?.uid) {
    await setVolumePhase(context, volume, 'Available', '');
    return;
  }
  const claim = await claimOf(volume, context);
  if (!claim) {
    const phase = volume.status?.phase;
    const released =
      phase === 'Released' || phase === 'Failed' ? volume : await setVolumePhase(context, volume, 'Released', '');
    return reclaim(released, context);
  }
  if (!claim.spec.volumeName) {
    // Half bound: the claim's side completes it.
    context.enqueue(`${CLAIM}${objectKey(claim)}`);
    return;
  }
  if (claim.spec.volumeName === name) {
    await setVolumePhase(context, volume, 'Bound', '');
    return;
  }
  // The claim went to another volume.
  if (volume.metadata.annotations?.[PROVISIONED_BY] && volume.spec.persistentVolumeReclaimPolicy === 'Delete') {
    await reclaim(await setVolumePhase(context, volume, 'Released', ''), context);
    return;
  }
  await unbind(context, volume);
}

/** The claim a volume is bound to; undefined when it is gone, or another of the same name took its place. */
async function claimOf(volume: PersistentVolume, { informer, client }: ControllerContext) {
  const { namespace, name = '', uid } = volume.spec.claimRef ?? {};
  const cached = informer(PersistentVolumeClaims).get(`${namespace}/${name}`);
  if (cached?.metadata.uid === uid) return cached;
  // The cache may be behind a claim that was just made.
  const live = await client.for(PersistentVolumeClaims).get({ namespace, name }).catch(ignoreNotFound);
  return live?.metadata.uid === uid ? live : undefined;
}

async function reclaim(volume: PersistentVolume, context: ControllerContext): Promise<void> {
  const policy = volume.spec.persistentVolumeReclaimPolicy ?? 'Retain';
  if (policy === 'Retain' || volume.status?.phase === 'Failed') return;
  const { name } = volume.metadata;
  if (policy === 'Delete') {
    // Whoever provisioned the volume watches for released ones and deletes it.
    if (volume.metadata.annotations?.[PROVISIONED_BY] || volume.spec.csi) return;
    const message = `error getting deleter volume plugin for volume "${name}": no deletable volume plugin matched`;
    await setVolumePhase(context, volume, 'Failed', message);
    tell(context, volume, 'Warning', 'VolumeFailedDelete', message);
    return;
  }
  const message = 'No recycler plugin found for the volume!';
  await setVolumePhase(context, volume, 'Failed', message);
  tell(context, volume, 'Warning', 'VolumeFailedRecycle', message);
}

/** Of several default classes the newest counts. */
function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const created = ({ metadata }: StorageClass) => metadata.creationTimestamp ?? '';
  return classes
    .filter(({ metadata }) => IS_DEFAULT_CLASS.some((name) => metadata.annotations?.[name] === 'true'))
    .sort((a, b) =>
      created(a) === created(b) ? (a.metadata.name < b.metadata.name ? -1 : 1) : created(a) > created(b) ? -1 : 1,
    )[0];
}

function tell(
  { events }: ControllerContext,
  object: PersistentVolume | PersistentVolumeClaim,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): void {
  events.event(object, type, reason, message);
}
