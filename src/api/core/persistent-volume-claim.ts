import { type FieldError, FieldPath, forbiddenField, required } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable, semanticEqual } from '../field-checks.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../types/core.v1.gen.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { parseAmount } from './pod-spec/resources.ts';
import { defaultClaimSpec } from './pod-spec/volume-defaults.ts';
import { formatAccessModes, storageClassOf } from './volume-format.ts';

const spec = FieldPath.of('spec');

export const persistentVolumeClaim = defineKind<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  default({ spec }) {
    if (spec) defaultClaimSpec(spec);
  },
  prepareForCreate(claim) {
    claim.status = { phase: 'Pending' };
    if (claim.spec) unifyDataSources(claim.spec);
  },
  prepareForUpdate(claim) {
    if (claim.spec) unifyDataSources(claim.spec);
  },
  validate: ({ spec: claim }) => (claim ? validateClaimSpec(claim, spec) : [required(spec)]),
  validateUpdate: validateClaimUpdate,
  columns: [
    nameColumn,
    column('Status', ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')), {
      description: 'Whether a volume is bound to it',
    }),
    column('Volume', ({ spec }) => spec.volumeName ?? '', { description: 'The volume that is bound to it' }),
    column('Capacity', ({ spec, status }) => (spec.volumeName ? (status?.capacity?.storage ?? '') : ''), {
      description: 'Size of the volume',
    }),
    column('Access Modes', ({ spec, status }) => (spec.volumeName ? formatAccessModes(status?.accessModes) : ''), {
      description: 'How the volume can be mounted',
    }),
    column('StorageClass', storageClassOf, { description: 'Storage class of the claim' }),
    column('VolumeAttributesClass', ({ spec }) => spec.volumeAttributesClassName ?? '<unset>', {
      description: 'Volume attributes class of the claim',
    }),
    ageColumn,
    column('VolumeMode', ({ spec }) => spec.volumeMode ?? '<unset>', {
      wide: true,
      description: 'Filesystem or block device',
    }),
  ],
  selectableFields: { name: (claim) => claim.metadata.name },
});

/** `dataSource` and `dataSourceRef` say the same where both can. */
function unifyDataSources(claim: Draft<PersistentVolumeClaimSpec>): void {
  const { dataSource, dataSourceRef } = claim;
  if (dataSource && !dataSourceRef) claim.dataSourceRef = draft(dataSource);
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { apiGroup = '', kind } = dataSourceRef;
    const classic =
      (apiGroup === '' && kind === 'PersistentVolumeClaim') ||
      (apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot');
    if (classic) claim.dataSource = draft(dataSourceRef);
  }
}

/** Once bound, a claim may grow and change its attributes class; before, the binder fills in volume and class. */
function validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const errors: FieldError[] = [];
  const bound = old.status?.phase === 'Bound';
  const allowed: Record<string, unknown> = { ...claim.spec };
  if (!old.spec.volumeName) allowed.volumeName = old.spec.volumeName;
  if (old.spec.storageClassName === undefined && storageClassOf(claim) !== '')
    allowed.storageClassName = old.spec.storageClassName;
  const storage = claim.spec.resources?.requests?.storage;
  const before = old.spec.resources?.requests?.storage;
  if (bound) {
    allowed.resources = {
      ...claim.spec.resources,
      requests: { ...claim.spec.resources?.requests, ...(before !== undefined ? { storage: before } : {}) },
    };
    allowed.volumeAttributesClassName = old.spec.volumeAttributesClassName;
  }
  if (!semanticEqual(allowed, old.spec))
    errors.push(
      forbiddenField(
        spec,
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    );
  const now = parseAmount(storage);
  const then = parseAmount(before);
  const actual = parseAmount(old.status?.capacity?.storage);
  if (bound && now && then && now.cmp(then) < 0 && (!actual || now.cmp(actual) <= 0))
    errors.push(
      forbiddenField(spec.child('resources', 'requests', 'storage'), 'field can not be less than status.capacity'),
    );
  // Upstream's path, without `spec`.
  errors.push(...immutable(FieldPath.of('volumeMode'), claim.spec.volumeMode, old.spec.volumeMode));
  if (old.spec.volumeAttributesClassName && !claim.spec.volumeAttributesClassName)
    errors.push(
      forbiddenField(
        spec.child('volumeAttributesClassName'),
        `update from non-nil value to ${claim.spec.volumeAttributesClassName === '' ? 'an empty string' : 'nil'} is forbidden`,
      ),
    );
  return errors;
}
