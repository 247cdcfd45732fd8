import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';
import type { CSIPersistentVolumeSource, PersistentVolumeSpec, SecretReference } from '../types/core.v1.gen.ts';
import { validatePathNoBacksteps } from './pod-spec/paths.ts';
import {
  pathOfSource,
  validateDriverName,
  validateHostPathSource,
  validateIscsiSource,
  validateNfsSource,
  validateSimpleSource,
} from './pod-spec/volume-sources.ts';
import { portalTooLong } from './pod-spec/volumes.ts';

/** The fields of the spec that say where the volume's bytes are, in the order in which they are looked at. */
export const sourceFields = [
  ...['hostPath', 'gcePersistentDisk', 'awsElasticBlockStore', 'glusterfs', 'flocker', 'nfs', 'rbd', 'quobyte'],
  ...['cephfs', 'iscsi', 'cinder', 'fc', 'flexVolume', 'azureFile', 'vsphereVolume', 'photonPersistentDisk'],
  ...['portworxVolume', 'azureDisk', 'scaleIO', 'local', 'storageos', 'csi'],
] as (keyof PersistentVolumeSpec)[];

const spec = FieldPath.of('spec');
/** Refusals name two sources by other words than their fields. */
const refusedPaths: Readonly<Record<string, string>> = { cephfs: 'cephFS' };

export function validateSources(volume: PersistentVolumeSpec, name: string): FieldError[] {
  const errors: FieldError[] = [];
  let found = false;
  for (const field of sourceFields) {
    if (volume[field] == null) continue;
    // Flex volumes are let through beside another source.
    if (found && field !== 'flexVolume')
      errors.push(
        forbiddenField(
          spec.child(refusedPaths[field] ?? pathOfSource(field)),
          'may not specify more than 1 volume type',
        ),
      );
    else errors.push(...validateSource(volume, field));
    found = true;
    if (field === 'iscsi') errors.push(...validatePortal(volume.iscsi, name));
  }
  return found ? errors : [required(spec, 'must specify a volume type')];
}

function validatePortal(source: PersistentVolumeSpec['iscsi'], name: string): FieldError[] {
  if (source?.initiatorName === undefined || `${name}:${source.targetPortal}`.length <= 64) return [];
  return [invalidValue(spec.child('iscsi', 'targetportal'), source.targetPortal, portalTooLong)];
}

function validateSource(volume: PersistentVolumeSpec, source: keyof PersistentVolumeSpec): FieldError[] {
  const path = spec.child(pathOfSource(source));
  switch (source) {
    case 'hostPath':
      return validateHostPathSource(volume.hostPath!, path);
    case 'nfs':
      return validateNfsSource(volume.nfs!, path);
    case 'iscsi':
      return validateIscsiSource(volume.iscsi!, path, false);
    case 'csi':
      return validateCsi(volume.csi!, path);
    case 'local': {
      const { path: directory } = volume.local!;
      const errors = directory
        ? validatePathNoBacksteps(directory, path.child('path'))
        : [required(path.child('path'))];
      if (!volume.nodeAffinity)
        errors.push(required(spec.child('nodeAffinity'), 'Local volume requires node affinity'));
      return errors;
    }
    default:
      return [
        ...validateSimpleSource(source, volume[source] as Readonly<Record<string, unknown>>, path),
        ...validateNamespaces(volume, source, path),
      ];
  }
}

/** Sources that name objects in a namespace, which those of pods take from the pod. */
function validateNamespaces(
  volume: PersistentVolumeSpec,
  source: keyof PersistentVolumeSpec,
  path: FieldPath,
): FieldError[] {
  const namespace = volume.glusterfs?.endpointsNamespace;
  if (source === 'glusterfs' && namespace !== undefined) {
    const at = path.child('endpointsNamespace');
    if (namespace === '')
      return [invalidValue(at, namespace, 'if the endpointnamespace is set, it must be a valid namespace name')];
    return invalidFor(at, namespace, isDns1123Label(namespace));
  }
  if (source === 'cinder' && volume.cinder?.secretRef && !volume.cinder.secretRef.namespace)
    return [required(path.child('secretRef', 'namespace'))];
  if (source === 'azureFile' && volume.azureFile?.secretNamespace === '')
    return [required(path.child('secretNamespace'))];
  return [];
}

function validateCsi(source: CSIPersistentVolumeSource, path: FieldPath): FieldError[] {
  return [
    ...validateDriverName(source.driver, path.child('driver')),
    ...(source.volumeHandle ? [] : [required(path.child('volumeHandle'))]),
    ...(
      [
        'controllerPublishSecretRef',
        'controllerExpandSecretRef',
        'nodePublishSecretRef',
        'nodeExpandSecretRef',
      ] as const
    ).flatMap((field) => validateSecretReference(source[field], path.child(field))),
  ];
}

function validateSecretReference(reference: SecretReference | undefined, path: FieldPath): FieldError[] {
  if (!reference) return [];
  const { name, namespace } = reference;
  return [
    ...(name ? invalidFor(path.child('name'), name, isDns1123Subdomain(name)) : [required(path.child('name'))]),
    ...(namespace
      ? invalidFor(path.child('namespace'), namespace, isDns1123Label(namespace))
      : [required(path.child('namespace'))]),
  ];
}
