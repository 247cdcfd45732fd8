import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { isDns1123Label } from '../../../apimachinery/names.ts';
import type { PersistentVolumeClaimTemplate, Volume } from '../../types/core.v1.gen.ts';
import { validateClaimTemplate } from '../claim-spec.ts';
import { validateFileMode } from './paths.ts';
import { validateProjectedSources } from './projected-volume.ts';
import { parseAmount } from './resources.ts';
import { validateDownwardFile, validateItems } from './volume-files.ts';
import {
  validateCsiSource,
  validateHostPathSource,
  validateIscsiSource,
  validateNfsSource,
  validateSimpleSource,
} from './volume-sources.ts';

export function validateVolumes(volumes: readonly Volume[] | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  (volumes ?? []).forEach((volume, index) => {
    const at = path.index(index);
    errors.push(...validateVolumeSource(volume, at));
    if (!volume.name) errors.push(required(at.child('name')));
    else
      for (const message of isDns1123Label(volume.name))
        errors.push(invalidValue(at.child('name'), volume.name, message));
    if (volume.name && names.has(volume.name)) errors.push(duplicate(at.child('name'), volume.name));
    names.add(volume.name);
  });
  return errors;
}

type Source = Exclude<keyof Volume, 'name'>;

function validateVolumeSource(volume: Volume, path: FieldPath): FieldError[] {
  const sources = Object.keys(volume).filter((key): key is Source => key !== 'name' && volume[key as Source] != null);
  const [first, ...others] = sources;
  if (!first) return [required(path, 'must specify a volume type')];
  return [
    ...validateSource(volume, first, path.child(first)),
    ...others.map((source) => forbiddenField(path.child(source), 'may not specify more than 1 volume type')),
  ];
}

function validateSource(volume: Volume, source: Source, path: FieldPath): FieldError[] {
  switch (source) {
    case 'emptyDir': {
      const limit = parseAmount(volume.emptyDir?.sizeLimit);
      return limit && limit.sign() < 0
        ? [forbiddenField(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')]
        : [];
    }
    case 'hostPath':
      return validateHostPathSource(volume.hostPath!, path);
    case 'secret':
      return [
        ...(volume.secret?.secretName ? [] : [required(path.child('secretName'))]),
        ...validateFileMode(volume.secret?.defaultMode, path.child('defaultMode')),
        ...validateItems(volume.secret?.items, path.child('items')),
      ];
    case 'configMap':
      return [
        ...(volume.configMap?.name ? [] : [required(path.child('name'))]),
        ...validateFileMode(volume.configMap?.defaultMode, path.child('defaultMode')),
        ...validateItems(volume.configMap?.items, path.child('items')),
      ];
    case 'downwardAPI':
      return [
        ...validateFileMode(volume.downwardAPI?.defaultMode, path.child('defaultMode')),
        ...(volume.downwardAPI?.items ?? []).flatMap((item) => validateDownwardFile(item, path)),
      ];
    case 'projected':
      return [
        ...validateFileMode(volume.projected?.defaultMode, path.child('defaultMode')),
        ...validateProjectedSources(volume.projected?.sources, path.child('sources')),
      ];
    case 'persistentVolumeClaim':
      return volume.persistentVolumeClaim?.claimName ? [] : [required(path.child('claimName'))];
    case 'nfs':
      return validateNfsSource(volume.nfs!, path);
    case 'iscsi':
      return validateIscsiSource(volume.iscsi!, path);
    case 'csi':
      return [
        ...validateCsiSource(volume.csi!, path),
        ...(volume.csi?.nodePublishSecretRef && !volume.csi.nodePublishSecretRef.name
          ? [required(path.child('nodePublishSecretRef', 'name'))]
          : []),
      ];
    case 'ephemeral':
      return validateEphemeral(volume.ephemeral?.volumeClaimTemplate, path.child('volumeClaimTemplate'));
    case 'image': {
      const { reference, pullPolicy } = volume.image ?? {};
      return [
        ...(reference ? [] : [required(path.child('reference'))]),
        ...(pullPolicy && !pullPolicies.includes(pullPolicy)
          ? [notSupported(path.child('pullPolicy'), pullPolicy, pullPolicies)]
          : []),
      ];
    }
    default:
      return validateSimpleSource(source, volume[source] as Readonly<Record<string, unknown>>, path);
  }
}

export const pullPolicies = ['Always', 'IfNotPresent', 'Never'];

function validateEphemeral(template: PersistentVolumeClaimTemplate | undefined, path: FieldPath): FieldError[] {
  return template ? validateClaimTemplate(template, path) : [required(path)];
}
