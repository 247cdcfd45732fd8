import { posix } from 'node:path';
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
import { absent, immutable, invalidFor, optionalOneOf, semanticEqual } from '../field-checks.ts';
import type { PersistentVolume, PersistentVolumeSpec, VolumeNodeAffinity } from '../types/core.v1.gen.ts';
import { validateAccessModes, validatePositiveAmount, volumeModes } from './claim-spec.ts';
import { internalDiff } from './internal-diff.ts';
import { internalForm } from './internal-form.ts';
import { sourceFields, validateSources } from './persistent-volume-sources.ts';
import { hasInvalidNodeValue, validateNodeSelector } from './pod-spec/affinity.ts';
import { roundResourceList, validateBasicAmount } from './pod-spec/resources.ts';
import { formatAccessModes, storageClassOf } from './volume-format.ts';
import { volumeWarnings } from './volume-warnings.ts';

const spec = FieldPath.of('spec');

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
  warnings: volumeWarnings,
  subresources: {
    status: {
      prepareForUpdate(volume, old) {
        if (volume.status?.phase === old.status?.phase) return;
        volume.status ??= {};
        const { lastPhaseTransitionTime } = volume.status;
        if (!lastPhaseTransitionTime || lastPhaseTransitionTime === old.status?.lastPhaseTransitionTime)
          volume.status.lastPhaseTransitionTime = rfc3339Now();
      },
    },
  },
  columns: [
    nameColumn,
    column('Capacity', ({ spec }) => spec.capacity?.storage ?? '0', { description: 'Size of the volume' }),
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
});

/** Whole seconds, as the API writes times. */
const rfc3339Now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

function validateVolume({ spec: volume, metadata }: PersistentVolume, old?: PersistentVolume): FieldError[] {
  if (!volume) return [required(spec)];
  const modes = spec.child('accessModes');
  const errors = volume.accessModes?.length ? [] : [required(modes)];
  errors.push(...validateAccessModes(volume.accessModes ?? [], modes));
  const capacity = volume.capacity ?? {};
  if (Object.keys(capacity).length === 0) errors.push(required(spec.child('capacity')));
  if (!('storage' in capacity) || Object.keys(capacity).length > 1)
    errors.push(notSupported(spec.child('capacity'), volume.capacity, ['storage']));
  for (const [name, amount] of Object.entries(capacity)) {
    const at = spec.child('capacity').key(name);
    errors.push(...validateBasicAmount(amount, at), ...validatePositiveAmount(amount, at));
  }
  const reclaim = spec.child('persistentVolumeReclaimPolicy');
  if (volume.persistentVolumeReclaimPolicy)
    errors.push(...optionalOneOf(reclaim, volume.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain']));
  if (volume.nodeAffinity) {
    const at = spec.child('nodeAffinity', 'required');
    errors.push(
      ...(volume.nodeAffinity.required
        ? validateNodeSelector(volume.nodeAffinity.required, at, hasInvalidNodeValue(old?.spec?.nodeAffinity?.required))
        : [required(at, 'must specify required node constraints')]),
    );
  }
  errors.push(...validateSources(volume, metadata.name));
  if (
    volume.hostPath &&
    posix.normalize(volume.hostPath.path) === '/' &&
    volume.persistentVolumeReclaimPolicy === 'Recycle'
  )
    errors.push(forbiddenField(reclaim, "may not be 'recycle' for a hostPath mount of '/'"));
  const { storageClassName, volumeAttributesClassName } = volume;
  if (storageClassName)
    errors.push(...invalidFor(spec.child('storageClassName'), storageClassName, isDns1123Subdomain(storageClassName)));
  errors.push(...optionalOneOf(spec.child('volumeMode'), volume.volumeMode, volumeModes));
  if (volumeAttributesClassName !== undefined) {
    const at = spec.child('volumeAttributesClassName');
    errors.push(
      ...(volumeAttributesClassName === ''
        ? [required(at, 'an empty string is disallowed')]
        : invalidFor(at, volumeAttributesClassName, isDns1123Subdomain(volumeAttributesClassName))),
    );
    if (!volume.csi)
      errors.push(required(spec.child('csi'), 'has to be specified when using volumeAttributesClassName'));
  }
  return errors;
}

/** Only a secret for expanding a CSI volume may be added to a source. Some paths are upstream's, without `spec`. */
function validateVolumeUpdate({ spec: volume }: PersistentVolume, { spec: old }: PersistentVolume): FieldError[] {
  const errors: FieldError[] = [];
  const before = sourceOf(old);
  if (old.csi && volume.csi && !old.csi.controllerExpandSecretRef)
    before.csi = { ...old.csi, controllerExpandSecretRef: volume.csi.controllerExpandSecretRef };
  const now = sourceOf(volume);
  if (!semanticEqual(now, before))
    errors.push(
      forbiddenField(
        spec.child('persistentvolumesource'),
        `spec.persistentvolumesource is immutable after creation\n${internalDiff('PersistentVolumeSource', before, now)}`,
      ),
    );
  errors.push(...immutable(FieldPath.of('volumeMode'), volume.volumeMode, old.volumeMode));
  if (old.nodeAffinity && !semanticEqual(volume.nodeAffinity, withLabelsOf(old.nodeAffinity, volume.nodeAffinity)))
    errors.push(
      invalidValue(
        FieldPath.of('nodeAffinity'),
        volume.nodeAffinity ? internalForm('VolumeNodeAffinity', volume.nodeAffinity) : absent,
        'field is immutable, except for updating from beta label to GA',
      ),
    );
  if (old.volumeAttributesClassName !== undefined && volume.volumeAttributesClassName === undefined)
    errors.push(
      forbiddenField(spec.child('volumeAttributesClassName'), 'update from non-nil value to nil is forbidden'),
    );
  return errors;
}

const sourceOf = (volume: PersistentVolumeSpec): Record<string, unknown> =>
  Object.fromEntries(sourceFields.map((field) => [field, volume[field]]));

const labelsOfToday: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
};

/** `old` with the labels of today where `now` has them at the same place. */
function withLabelsOf(old: VolumeNodeAffinity, now: VolumeNodeAffinity | undefined): VolumeNodeAffinity {
  const terms = now?.required?.nodeSelectorTerms ?? [];
  if (!old.required || old.required.nodeSelectorTerms?.length !== terms.length) return old;
  return {
    required: {
      nodeSelectorTerms: old.required.nodeSelectorTerms.map((term, i) => ({
        ...term,
        matchExpressions: term.matchExpressions?.map((expression, j) => {
          const today = labelsOfToday[expression.key];
          return today !== undefined && terms[i]?.matchExpressions?.[j]?.key === today
            ? { ...expression, key: today }
            : expression;
        }),
      })),
    },
  };
}
