import {
  type FieldError,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';
import type { HostPathVolumeSource, ISCSIVolumeSource, NFSVolumeSource } from '../../types/core.v1.gen.ts';
import { validatePathNoBacksteps } from './paths.ts';

/** Checks of the sources that volumes of pods and PersistentVolumes share. */

const hostPathTypes = [
  ...['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'],
];

export function validateHostPathSource(source: HostPathVolumeSource, path: FieldPath): FieldError[] {
  if (!source.path) return [required(path.child('path'))];
  return [
    ...validatePathNoBacksteps(source.path, path.child('path')),
    ...(source.type !== undefined && !hostPathTypes.includes(source.type)
      ? [notSupported(path.child('type'), source.type, hostPathTypes)]
      : []),
  ];
}

export function validateNfsSource(source: NFSVolumeSource, path: FieldPath): FieldError[] {
  return [
    ...(source.server ? [] : [required(path.child('server'))]),
    ...(source.path ? [] : [required(path.child('path'))]),
    ...(source.path?.startsWith('/')
      ? []
      : [invalidValue(path.child('path'), source.path ?? '', 'must be an absolute path')]),
  ];
}

interface IscsiSource extends Omit<ISCSIVolumeSource, 'secretRef'> {
  readonly secretRef?: { readonly name?: string };
}

export function validateIscsiSource(source: IscsiSource, path: FieldPath): FieldError[] {
  const errors = source.targetPortal ? [] : [required(path.child('targetPortal'))];
  if (!source.iqn) errors.push(required(path.child('iqn')));
  else if (!/^(iqn|eui|naa)\./.test(source.iqn))
    errors.push(invalidValue(path.child('iqn'), source.iqn, 'must be valid format starting with iqn, eui, or naa'));
  if (source.lun < 0 || source.lun > 255)
    errors.push(invalidValue(path.child('lun'), source.lun, 'must be between 0 and 255, inclusive'));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef)
    errors.push(required(path.child('secretRef')));
  if (source.secretRef && !source.secretRef.name) errors.push(required(path.child('secretRef', 'name')));
  return errors;
}

export function validateCsiSource(source: { readonly driver: string }, path: FieldPath): FieldError[] {
  return validateDriverName(source.driver, path.child('driver'));
}

/** A driver's name: a DNS subdomain of at most 63 characters, case ignored. */
export function validateDriverName(name: string | undefined, path: FieldPath): FieldError[] {
  if (!name) return [required(path)];
  const errors = name.length > 63 ? [tooLong(path, 63)] : [];
  for (const message of isDns1123Subdomain(name.toLowerCase())) errors.push(invalidValue(path, name, message));
  return errors;
}

/** Fields that may not be empty, of the sources for which there is nothing more to check. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  awsElasticBlockStore: ['volumeID'],
  azureDisk: ['diskName', 'diskURI'],
  azureFile: ['secretName', 'shareName'],
  cephfs: ['monitors'],
  cinder: ['volumeID'],
  flexVolume: ['driver'],
  gcePersistentDisk: ['pdName'],
  gitRepo: ['repository'],
  glusterfs: ['endpoints', 'path'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  quobyte: ['registry', 'volume'],
  rbd: ['monitors', 'image'],
  scaleIO: ['gateway', 'system', 'volumeName'],
  storageos: ['volumeName'],
  vsphereVolume: ['volumePath'],
};

export function validateSimpleSource(
  kind: string,
  source: Readonly<Record<string, unknown>>,
  path: FieldPath,
): FieldError[] {
  return (requiredFields[kind] ?? [])
    .filter(
      (field) => source[field] == null || source[field] === '' || (source[field] as readonly unknown[]).length === 0,
    )
    .map((field) => required(path.child(field)));
}
