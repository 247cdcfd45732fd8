import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable, optionalOneOf, semanticEqual } from '../field-checks.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../types/core.v1.gen.ts';
import { validateAccessModes, validatePositiveAmount, volumeModes } from './claim-spec.ts';
import { validateNodeSelector } from './pod-spec/affinity.ts';
import { validatePathNoBacksteps } from './pod-spec/paths.ts';
import { roundResourceList } from './pod-spec/resources.ts';
import {
  validateCsiSource,
  validateHostPathSource,
  validateIscsiSource,
  validateNfsSource,
  validateSimpleSource,
} from './pod-spec/volume-sources.ts';
import { formatAccessModes, storageClassOf } from './volume-format.ts';

const spec = FieldPath.of('spec');

/** The fields of the spec that say where the volume's bytes are. */
const sourceFields = [
  ...['awsElasticBlockStore', 'azureDisk', 'azureFile', 'cephfs', 'cinder', 'csi', 'fc', 'flexVolume', 'flocker'],
  ...['gcePersistentDisk', 'glusterfs', 'hostPath', 'iscsi', 'local', 'nfs', 'photonPersistentDisk'],
  ...['portworxVolume', 'quobyte', 'rbd', 'scaleIO', 'storageos', 'vsphereVolume'],
] as (keyof PersistentVolumeSpec)[];

export const persistentVolume = defineKind<PersistentVolume>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  default({ spec }) {
    if (!spec) return;
    spec.persistentVolumeReclaimPolicy ||= 'Retain';
    spec.volumeMode ??= 'Filesystem';
    if (spec.capacity) roundResourceList(spec.capacity);
    if (spec.hostPath) spec.hostPath.type ??= '';
  },
  prepareForCreate(volume) {
    volume.status = { phase: 'Pending', lastPhaseTransitionTime: rfc3339Now() };
  },
  validate: validateVolume,
  validateUpdate: validateVolumeUpdate,
  subresources: {
    status: {
      prepareForUpdate(volume, old) {
        if (volume.status?.phase === old.status?.phase) return;
        volume.status ??= {};
        if (volume.status.lastPhaseTransitionTime === old.status?.lastPhaseTransitionTime)
          volume.status.lastPhaseTransitionTime = rfc3339Now();
      },
    },
  },
  columns: [
    nameColumn,
    column('Capacity', ({ spec }) => spec.capacity?.storage ?? '', { description: 'Size of the volume' }),
    column('Access Modes', ({ spec }) => formatAccessModes(spec.accessModes), { description: 'How it can be mounted' }),
    column('Reclaim Policy', ({ spec }) => spec.persistentVolumeReclaimPolicy ?? '', {
      description: 'What becomes of it when its claim is gone',
    }),
    column('Status', ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')), {
      description: 'Whether a claim is bound to it',
    }),
    column(
      'Claim',
      ({ spec: { claimRef } }) => (claimRef ? `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}` : ''),
      {
        description: 'The claim that is bound to it',
      },
    ),
    column('StorageClass', storageClassOf, { description: 'Storage class of the volume' }),
    column('VolumeAttributesClass', ({ spec }) => spec.volumeAttributesClassName ?? '<unset>', {
      description: 'Volume attributes class of the volume',
    }),
    column('Reason', ({ status }) => status?.reason ?? '', { description: 'Why it is in its phase' }),
    ageColumn,
    column('VolumeMode', ({ spec }) => spec.volumeMode ?? '<unset>', {
      wide: true,
      description: 'Filesystem or block device',
    }),
  ],
  selectableFields: { name: (volume) => volume.metadata.name },
});

/** Whole seconds, as the API writes times. */
const rfc3339Now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

function validateVolume({ spec: volume, metadata }: PersistentVolume): FieldError[] {
  if (!volume) return [required(spec)];
  const errors = validateAccessModes(volume.accessModes, spec.child('accessModes'));
  const capacity = volume.capacity ?? {};
  if (Object.keys(capacity).length === 0) errors.push(required(spec.child('capacity')));
  else if (!('storage' in capacity) || Object.keys(capacity).length > 1)
    errors.push(notSupported(spec.child('capacity'), capacity, ['storage']));
  for (const [name, amount] of Object.entries(capacity))
    errors.push(...validatePositiveAmount(amount, spec.child('capacity').key(name)));
  errors.push(
    ...optionalOneOf(spec.child('persistentVolumeReclaimPolicy'), volume.persistentVolumeReclaimPolicy, [
      'Delete',
      'Recycle',
      'Retain',
    ]),
  );
  if (volume.nodeAffinity) {
    const at = spec.child('nodeAffinity');
    errors.push(
      ...(volume.nodeAffinity.required
        ? validateNodeSelector(volume.nodeAffinity.required, at.child('required'))
        : [required(at.child('required'), 'must specify required node constraints')]),
    );
  }
  errors.push(...validateSources(volume, metadata.name));
  if (volume.hostPath?.path === '/' && volume.persistentVolumeReclaimPolicy === 'Recycle')
    errors.push(
      forbiddenField(spec.child('persistentVolumeReclaimPolicy'), "may not be 'recycle' for a hostPath mount of '/'"),
    );
  for (const field of ['storageClassName', 'volumeAttributesClassName'] as const) {
    const name = volume[field];
    if (name)
      for (const message of isDns1123Subdomain(name)) errors.push(invalidValue(spec.child(field), name, message));
  }
  if (volume.volumeAttributesClassName !== undefined) {
    const at = spec.child('volumeAttributesClassName');
    if (volume.volumeAttributesClassName === '') errors.push(required(at, 'an empty string is disallowed'));
    if (!volume.csi)
      errors.push(required(spec.child('csi'), 'has to be specified when using volumeAttributesClassName'));
  }
  errors.push(...optionalOneOf(spec.child('volumeMode'), volume.volumeMode, volumeModes));
  return errors;
}

function validateSources(volume: PersistentVolumeSpec, name: string): FieldError[] {
  const [first, ...others] = sourceFields.filter((field) => volume[field] != null);
  if (!first) return [required(spec, 'must specify a volume type')];
  return [
    ...validateSource(volume, first, name),
    ...others.map((field) => forbiddenField(spec.child(field), 'may not specify more than 1 volume type')),
  ];
}

function validateSource(volume: PersistentVolumeSpec, source: keyof PersistentVolumeSpec, name: string): FieldError[] {
  const path = spec.child(source);
  switch (source) {
    case 'hostPath':
      return validateHostPathSource(volume.hostPath!, path);
    case 'nfs':
      return validateNfsSource(volume.nfs!, path);
    case 'iscsi':
      return validateIscsiSource(volume.iscsi!, path);
    case 'csi':
      return [
        ...validateCsiSource(volume.csi!, path),
        ...(volume.csi?.volumeHandle ? [] : [required(path.child('volumeHandle'))]),
      ];
    case 'local': {
      const errors = volume.local?.path
        ? validatePathNoBacksteps(volume.local.path, path.child('path'))
        : [required(path.child('path'))];
      if (!volume.nodeAffinity)
        errors.push(required(FieldPath.of('metadata', 'annotations'), `Local volume requires node affinity: ${name}`));
      return errors;
    }
    default:
      return validateSimpleSource(source, volume[source] as Readonly<Record<string, unknown>>, path);
  }
}

/** The paths of volume mode and node affinity are upstream's, without `spec`. */
function validateVolumeUpdate(volume: PersistentVolume, old: PersistentVolume): FieldError[] {
  const errors: FieldError[] = [];
  // Secret references of a CSI volume may be corrected.
  const source = ({ spec }: PersistentVolume) => ({
    ...Object.fromEntries(sourceFields.filter((field) => field !== 'csi').map((field) => [field, spec[field]])),
    ...(spec.csi ? { csi: { ...spec.csi, controllerExpandSecretRef: undefined, nodeExpandSecretRef: undefined } } : {}),
  });
  if (!semanticEqual(source(volume), source(old)))
    errors.push(
      forbiddenField(spec.child('persistentvolumesource'), 'spec.persistentvolumesource is immutable after creation'),
    );
  errors.push(...immutable(FieldPath.of('volumeMode'), volume.spec.volumeMode, old.spec.volumeMode));
  if (old.spec.nodeAffinity)
    errors.push(...immutable(FieldPath.of('nodeAffinity'), volume.spec.nodeAffinity, old.spec.nodeAffinity));
  if (old.spec.volumeAttributesClassName !== undefined && volume.spec.volumeAttributesClassName === undefined)
    errors.push(
      forbiddenField(spec.child('volumeAttributesClassName'), 'update from non-nil value to nil is forbidden'),
    );
  return errors;
}
