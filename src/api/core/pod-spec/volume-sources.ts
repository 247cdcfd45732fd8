import {
  type FieldError,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { optionalOneOf } from '../../field-checks.ts';
import type { HostPathVolumeSource, ISCSIVolumeSource, NFSVolumeSource } from '../../types/core.v1.gen.ts';
import { validateLocalPath, validatePathNoBacksteps } from './paths.ts';

/** Checks of the sources that volumes of pods and PersistentVolumes share. */

const hostPathTypes = [
  ...['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'],
];

/** Errors of one source carry another name than its field. */
export const pathOfSource = (source: string) => (source === 'gcePersistentDisk' ? 'persistentDisk' : source);

export function validateHostPathSource(source: HostPathVolumeSource, path: FieldPath): FieldError[] {
  if (!source.path) return [required(path.child('path'))];
  return [
    ...validatePathNoBacksteps(source.path, path.child('path')),
    ...optionalOneOf(path.child('type'), source.type, hostPathTypes),
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

const iscsiNames: readonly (readonly [prefix: string, shape: RegExp])[] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$/],
  ['eui', /^eui.[A-Za-z0-9]{16}$/],
  ['naa', /^naa.[A-Za-z0-9]{32}$/],
];

/** `inPod`: what is wrong with a prefix is said more fully than of a PersistentVolume, which also names its secret. */
export function validateIscsiSource(source: IscsiSource, path: FieldPath, inPod: boolean): FieldError[] {
  const errors = source.targetPortal ? [] : [required(path.child('targetPortal'))];
  const { iqn, lun, initiatorName, secretRef } = source;
  const prefixes = inPod ? 'must be valid format starting with iqn, eui, or naa' : 'must be valid format';
  const validateName = (name: string, at: FieldPath): FieldError[] => {
    const known = iscsiNames.find(([prefix]) => name.startsWith(prefix));
    if (!known) return [invalidValue(at, name, prefixes)];
    return known[1].test(name) ? [] : [invalidValue(at, name, 'must be valid format')];
  };
  if (!iqn) errors.push(required(path.child('iqn')));
  else errors.push(...validateName(iqn, path.child('iqn')));
  if (lun < 0 || lun > 255) errors.push(invalidValue(path.child('lun'), lun, 'must be between 0 and 255, inclusive'));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !secretRef)
    errors.push(required(path.child('secretRef')));
  if (!inPod && secretRef && !secretRef.name) errors.push(required(path.child('secretRef', 'name')));
  if (initiatorName !== undefined) errors.push(...validateName(initiatorName, path.child('initiatorname')));
  return errors;
}

/** A driver's name: a DNS subdomain of at most 63 characters, case ignored. */
export function validateDriverName(name: string | undefined, path: FieldPath): FieldError[] {
  if (!name) return [required(path)];
  const errors = name.length > 63 ? [tooLong(path, 63)] : [];
  for (const message of isDns1123Subdomain(name.toLowerCase())) errors.push(invalidValue(path, name, message));
  return errors;
}

/** Fields that may not be empty. */
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
  rbd: ['monitors', 'image'],
  scaleIO: ['gateway', 'system', 'volumeName'],
  storageos: ['volumeName'],
  vsphereVolume: ['volumePath'],
};

type Loose = Readonly<Record<string, unknown>>;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const size = (value: unknown): number => (Array.isArray(value) ? value.length : 0);

/** Sources of which no pod of today can make use: they are checked, and no more. */
export function validateSimpleSource(kind: string, source: Loose, path: FieldPath): FieldError[] {
  const errors = (requiredFields[kind] ?? [])
    .filter((field) => source[field] == null || source[field] === '' || (source[field] as unknown[]).length === 0)
    .map((field) => required(path.child(field)));
  return [...errors, ...(particular[kind]?.(source, path) ?? [])];
}

const particular: Readonly<Record<string, (source: Loose, path: FieldPath) => FieldError[]>> = {
  gcePersistentDisk: validatePartition,
  awsElasticBlockStore: validatePartition,
  gitRepo: ({ directory }, path) => validateLocalPath(text(directory), path.child('directory')),
  fc: validateFibreChannel,
  flocker: validateFlocker,
  quobyte: validateQuobyte,
  flexVolume: validateFlexOptions,
  azureDisk: validateAzureDisk,
  cinder: validateSecretReference,
  storageos: (source, path) => [
    ...['volumeName', 'volumeNamespace'].flatMap((field) => {
      const name = text(source[field]);
      return name ? isDns1123Label(name).map((message) => invalidValue(path.child(field), name, message)) : [];
    }),
    ...validateSecretReference(source, path),
  ],
};

function validateSecretReference({ secretRef }: Loose, path: FieldPath): FieldError[] {
  const reference = secretRef as { name?: string } | undefined;
  return reference && !reference.name ? [required(path.child('secretRef', 'name'))] : [];
}

function validatePartition({ partition }: Loose, path: FieldPath): FieldError[] {
  const number = typeof partition === 'number' ? partition : 0;
  return number < 0 || number > 255
    ? [invalidValue(path.child('partition'), number, 'must be between 1 and 255, inclusive')]
    : [];
}

function validateFibreChannel({ targetWWNs, wwids, lun }: Loose, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const at = path.child('targetWWNs');
  if (!size(targetWWNs) && !size(wwids))
    errors.push(required(at, 'must specify either targetWWNs or wwids, but not both'));
  if (!size(targetWWNs)) return errors;
  if (size(wwids))
    errors.push(invalidValue(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  if (lun == null) errors.push(required(path.child('lun'), 'lun is required if targetWWNs is specified'));
  else if (Number(lun) < 0 || Number(lun) > 255)
    errors.push(invalidValue(path.child('lun'), lun, 'must be between 0 and 255, inclusive'));
  return errors;
}

function validateFlocker({ datasetName, datasetUUID }: Loose, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (datasetName && datasetUUID)
    errors.push(invalidValue(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  if (text(datasetName).includes('/'))
    errors.push(invalidValue(path.child('datasetName'), datasetName, "must not contain '/'"));
  return errors;
}

function validateQuobyte({ registry, tenant, volume }: Loose, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  const at = path.child('registry');
  if (!registry) errors.push(required(at, pairs));
  else if (text(tenant).length >= 65)
    errors.push(required(path.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters'));
  else
    for (const pair of text(registry).split(','))
      if (!/^(?:[^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair)) errors.push(invalidValue(at, registry, pairs));
  if (!volume) errors.push(required(path.child('volume')));
  return errors;
}

function validateFlexOptions({ options }: Loose, path: FieldPath): FieldError[] {
  return Object.keys((options as object | undefined) ?? {})
    .filter((key) => /\.(?:kubernetes|k8s)\.io$/.test(`.${(key.split('/')[0] ?? '').toLowerCase()}`))
    .map((key) =>
      invalidValue(path.child('options').key(key), key, 'kubernetes.io and k8s.io namespaces are reserved'),
    );
}

function validateAzureDisk({ cachingMode, kind, diskURI }: Loose, path: FieldPath): FieldError[] {
  const errors = [
    ...optionalOneOf(path.child('cachingMode'), cachingMode as string | undefined, ['None', 'ReadOnly', 'ReadWrite']),
    ...optionalOneOf(path.child('kind'), kind as string | undefined, ['Dedicated', 'Managed', 'Shared']),
  ];
  const uri = text(diskURI);
  if (kind === 'Managed' && !uri.startsWith('/subscriptions/'))
    errors.push(notSupported(path.child('diskURI'), uri, [managedDisk]));
  if (kind != null && kind !== 'Managed' && !uri.startsWith('https://'))
    errors.push(notSupported(path.child('diskURI'), uri, [blobDisk]));
  return errors;
}

const managedDisk = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const blobDisk = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';
