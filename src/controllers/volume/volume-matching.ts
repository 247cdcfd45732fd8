import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import { type LabelSelectorMatcher, labelSelectorMatcher } from '../../apimachinery/labels.ts';
import { Quantity } from '../../apimachinery/quantity.ts';

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

/** Empty for "no class"; the annotation of old is still obeyed. */
export function classOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return object.metadata.annotations?.[CLASS_ANNOTATION] ?? object.spec.storageClassName ?? '';
}

/** Neither a class nor the explicit absence of one. */
export function leavesClassOpen({ metadata, spec }: PersistentVolumeClaim): boolean {
  return metadata.annotations?.[CLASS_ANNOTATION] === undefined && spec.storageClassName === undefined;
}

export function isClaimedBy({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { claimRef } = spec;
  if (claimRef?.name !== metadata.name || claimRef.namespace !== metadata.namespace) return false;
  return !claimRef.uid || claimRef.uid === metadata.uid;
}

/** Why a volume can't serve a claim that asks for it by name, or undefined. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (capacityOf(volume).cmp(requestOf(claim)) < 0) return 'requested PV is too small';
  if (classOf(volume) !== classOf(claim)) return 'storageClassName does not match';
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode';
  if (!hasAccessModes(volume, claim)) return 'incompatible accessMode';
  return undefined;
}

/**
 * The smallest volume that satisfies a claim, or one that was reserved for it.
 * @param delayed binding waits for a pod: reserved volumes alone count
 */
export function findVolume(
  volumes: readonly PersistentVolume[],
  claim: PersistentVolumeClaim,
  delayed: boolean,
): PersistentVolume | undefined {
  let selector: LabelSelectorMatcher | undefined;
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (volume.spec.claimRef) {
      if (isClaimedBy(volume, claim) && mismatch(volume, claim) === undefined) return volume;
      continue;
    }
    if (delayed || volume.status?.phase !== 'Available' || volume.metadata.deletionTimestamp) continue;
    if (mismatch(volume, claim) !== undefined) continue;
    if ((volume.spec.volumeAttributesClassName ?? '') !== (claim.spec.volumeAttributesClassName ?? '')) continue;
    if (claim.spec.selector) {
      selector ??= labelSelectorMatcher(claim.spec.selector);
      if (!selector.matches(volume.metadata.labels)) continue;
    }
    if (!best || better(volume, best)) best = volume;
  }
  return best;
}

/** Volumes that can do no more than asked come first, then small ones. */
function better(a: PersistentVolume, b: PersistentVolume): boolean {
  const modes = (a.spec.accessModes?.length ?? 0) - (b.spec.accessModes?.length ?? 0);
  return modes !== 0 ? modes < 0 : capacityOf(a).cmp(capacityOf(b)) < 0;
}

const capacityOf = ({ spec }: PersistentVolume) => Quantity.parse(spec.capacity?.storage ?? '0');
const requestOf = ({ spec }: PersistentVolumeClaim) => Quantity.parse(spec.resources?.requests?.storage ?? '0');
const modeOf = ({ spec }: PersistentVolume | PersistentVolumeClaim) => spec.volumeMode ?? 'Filesystem';
const hasAccessModes = (volume: PersistentVolume, claim: PersistentVolumeClaim) =>
  claim.spec.accessModes?.every((mode) => volume.spec.accessModes?.includes(mode)) ?? true;
