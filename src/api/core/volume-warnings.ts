import { FieldPath } from '../../apimachinery/field.ts';
import type { PersistentVolume, PersistentVolumeClaimSpec } from '../types/core.v1.gen.ts';
import { nodeSelectorTermWarnings } from './node-label-warnings.ts';
import { parseAmount } from './pod-spec/resources.ts';
import { classAnnotation } from './volume-format.ts';

interface Annotated {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}

/** Kinds of volumes that nothing mounts any more, in the order in which pods are warned of them. */
export const retiredSources: readonly (readonly [field: string, since: string, path?: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+', 'storageOS'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

const ofVolumes = ['cephfs', 'photonPersistentDisk', 'scaleIO', 'storageos', 'glusterfs', 'rbd'];

export function volumeWarnings(volume: PersistentVolume): string[] {
  const spec = FieldPath.of('spec');
  const warnings = storageClassWarnings(volume);
  const { persistentVolumeReclaimPolicy, nodeAffinity, capacity } = volume.spec ?? {};
  if (persistentVolumeReclaimPolicy === 'Recycle')
    warnings.push(
      `${spec.child('persistentVolumeReclaimPolicy')}: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.`,
    );
  const terms = spec.child('nodeAffinity', 'required', 'nodeSelectorTerms');
  nodeAffinity?.required?.nodeSelectorTerms?.forEach((term, index) => {
    warnings.push(...nodeSelectorTermWarnings(term, terms.index(index), false));
  });
  for (const kind of ofVolumes) {
    const retired = retiredSources.find(([field]) => field === kind);
    if (retired && (volume.spec as Readonly<Record<string, unknown>>)[kind] != null)
      warnings.push(`${spec.child(retired[2] ?? kind)}: ${retired[1]}`);
  }
  return [...warnings, ...fractionWarnings(capacity, ['storage'], spec.child('capacity'))];
}

export function storageClassWarnings({ metadata }: Annotated): string[] {
  if (metadata.annotations?.[classAnnotation] === undefined) return [];
  const path = FieldPath.of('metadata', 'annotations').key(classAnnotation);
  return [`${path}: deprecated since v1.8; use "storageClassName" attribute instead`];
}

export function claimSpecWarnings(spec: PersistentVolumeClaimSpec | undefined, path: FieldPath): string[] {
  const { requests, limits } = spec?.resources ?? {};
  const resources = path.child('resources');
  return [
    ...fractionWarnings(requests, ['storage'], resources.child('requests')),
    ...fractionWarnings(limits, ['storage'], resources.child('limits')),
  ];
}

/** Of amounts of bytes that are not whole. */
export function fractionWarnings(
  amounts: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
  path: FieldPath,
): string[] {
  return names.flatMap((name) => {
    const amount = parseAmount(amounts?.[name]);
    return amount && amount.milliValue() % 1000 !== 0
      ? [`${path.key(name)}: fractional byte value "${amount}" is invalid, must be an integer`]
      : [];
  });
}
