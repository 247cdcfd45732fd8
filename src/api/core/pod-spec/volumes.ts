import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { requiredOneOf } from '../../field-checks.ts';
import type { Volume } from '../../types/core.v1.gen.ts';
import { validateClaimTemplate } from '../claim-spec.ts';
import type { PodAllowances } from './allowances.ts';
import { validateFileMode } from './paths.ts';
import { validateProjectedSources } from './projected-volume.ts';
import { parseAmount } from './resources.ts';
import { validateDownwardFile, validateItems } from './volume-files.ts';
import {
  pathOfSource,
  validateDriverName,
  validateHostPathSource,
  validateIscsiSource,
  validateNfsSource,
  validateSimpleSource,
} from './volume-sources.ts';

/** The errors of a pod's volumes, and the valid volumes by name: only they can be mounted. */
export interface VolumesResult {
  readonly errors: FieldError[];
  readonly valid: ReadonlyMap<string, Volume>;
}

/** `podName` is absent in templates. */
export function validateVolumes(
  volumes: readonly Volume[] | undefined,
  path: FieldPath,
  podName: string | undefined,
  allowances: PodAllowances,
): VolumesResult {
  const errors: FieldError[] = [];
  const valid = new Map<string, Volume>();
  const made = new Set<string>();
  if (podName) for (const volume of volumes ?? []) if (volume.ephemeral) made.add(`${podName}-${volume.name}`);
  (volumes ?? []).forEach((volume, index) => {
    const at = path.index(index);
    const { name = '', persistentVolumeClaim } = volume;
    const found = validateVolumeSource(volume, at, podName, allowances);
    if (!name) found.push(required(at.child('name')));
    else for (const message of isDns1123Label(name)) found.push(invalidValue(at.child('name'), name, message));
    if (valid.has(name)) found.push(duplicate(at.child('name'), name));
    if (found.length === 0) valid.set(name, volume);
    else errors.push(...found);
    if (persistentVolumeClaim && made.has(persistentVolumeClaim.claimName))
      errors.push(
        invalidValue(
          at.child('persistentVolumeClaim', 'claimName'),
          persistentVolumeClaim.claimName,
          'must not reference a PVC that gets created for an ephemeral volume',
        ),
      );
  });
  return { errors, valid };
}

type Source = Exclude<keyof Volume, 'name'>;

/** In the order in which upstream looks at them: of several sources the first counts, the others are refused. */
const sourceOrder: readonly Source[] = [
  ...(['emptyDir', 'hostPath', 'gitRepo', 'gcePersistentDisk', 'awsElasticBlockStore', 'secret', 'nfs'] as const),
  ...(['iscsi', 'glusterfs', 'flocker', 'persistentVolumeClaim', 'rbd', 'cinder', 'cephfs', 'quobyte'] as const),
  ...(['downwardAPI', 'fc', 'flexVolume', 'configMap', 'azureFile', 'vsphereVolume'] as const),
  ...(['photonPersistentDisk', 'portworxVolume', 'azureDisk', 'storageos', 'projected', 'scaleIO', 'csi'] as const),
  ...(['ephemeral', 'image'] as const),
];

/** What refusals call a source; the second is upstream's own misspelling. */
const refusedNames: { readonly [source in Source]?: string } = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

function validateVolumeSource(
  volume: Volume,
  path: FieldPath,
  podName: string | undefined,
  allowances: PodAllowances,
): FieldError[] {
  let first: Source | undefined;
  const errors: FieldError[] = [];
  for (const source of sourceOrder) {
    if (volume[source] == null) continue;
    if (first)
      errors.push(
        forbiddenField(path.child(refusedNames[source] ?? source), 'may not specify more than 1 volume type'),
      );
    else {
      first = source;
      errors.push(...validateSource(volume, source, path, podName, allowances));
    }
  }
  return first ? errors : [required(path, 'must specify a volume type')];
}

const MAX_PORTAL_CHARACTERS = 64;

function validateSource(
  volume: Volume,
  source: Source,
  parent: FieldPath,
  podName: string | undefined,
  { anyTokenPath }: PodAllowances,
): FieldError[] {
  const path = parent.child(pathOfSource(source));
  const { name } = volume;
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
        ...validateProjectedSources(volume.projected?.sources, path, anyTokenPath),
      ];
    case 'persistentVolumeClaim':
      return volume.persistentVolumeClaim?.claimName ? [] : [required(path.child('claimName'))];
    case 'nfs':
      return validateNfsSource(volume.nfs!, path);
    case 'iscsi': {
      const iscsi = volume.iscsi!;
      const errors = validateIscsiSource(iscsi, path, true);
      if (iscsi.initiatorName !== undefined && `${name}:${iscsi.targetPortal}`.length > MAX_PORTAL_CHARACTERS)
        errors.push(invalidValue(parent.child('name'), name, portalTooLong));
      return errors;
    }
    case 'csi': {
      const errors = validateDriverName(volume.csi?.driver, path.child('driver'));
      const secret = volume.csi?.nodePublishSecretRef;
      if (secret && !secret.name) errors.push(required(path.child('nodePublishSecretRef', 'name')));
      else if (secret)
        for (const message of isDns1123Subdomain(secret.name))
          errors.push(invalidValue(path.child('name'), secret.name, message));
      return errors;
    }
    case 'ephemeral': {
      const template = volume.ephemeral?.volumeClaimTemplate;
      const at = path.child('volumeClaimTemplate');
      const errors = template ? validateClaimTemplate(template, at) : [required(at)];
      if (podName && name) {
        const claim = `${podName}-${name}`;
        for (const message of isDns1123Subdomain(claim))
          errors.push(invalidValue(parent.child('name'), name, `PVC name ${JSON.stringify(claim)}: ${message}`));
      }
      return errors;
    }
    case 'image': {
      const { reference, pullPolicy } = volume.image ?? {};
      return [
        ...(reference ? [] : [required(path.child('reference'))]),
        ...requiredOneOf(path.child('pullPolicy'), pullPolicy, ['Always', 'IfNotPresent', 'Never']),
      ];
    }
    default:
      return validateSimpleSource(source, volume[source] as Readonly<Record<string, unknown>>, path);
  }
}

export const portalTooLong =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
