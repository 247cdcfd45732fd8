import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable, immutableMessage, invalidFor, semanticEqual } from '../field-checks.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../types/core.v1.gen.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { internalDiff } from './internal-diff.ts';
import { parseAmount, validateBasicAmount, validateResourceAmount } from './pod-spec/resources.ts';
import { defaultClaimSpec } from './pod-spec/volume-defaults.ts';
import { classAnnotation, formatAccessModes, storageClassOf } from './volume-format.ts';
import { claimSpecWarnings, storageClassWarnings } from './volume-warnings.ts';

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
    if (claim.spec) unifyDataSources(claim.spec, undefined);
  },
  // Clients that know one of the two fields leave out the other.
  prepareForUpdate(claim, old) {
    if (claim.spec) unifyDataSources(claim.spec, old.spec);
  },
  validate: ({ spec: claim }, old) => validateClaimSpec(claim ?? {}, spec, old?.spec),
  validateUpdate: validateClaimUpdate,
  subresources: { status: { validateUpdate: validateClaimStatusUpdate } },
  warnings: (claim) => [...storageClassWarnings(claim), ...claimSpecWarnings(claim.spec, spec)],
  columns: [
    nameColumn,
    column('Status', ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')), {
      description: 'Whether a volume is bound to it',
    }),
    column('Volume', ({ spec }) => spec.volumeName ?? '', { description: 'The volume that is bound to it' }),
    column('Capacity', ({ spec, status }) => (spec.volumeName ? (status?.capacity?.storage ?? '0') : ''), {
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
});

/**
 * `dataSource` and `dataSourceRef` say the same where both can; a `dataSource` of any other kind was never heard of, nor
 * is a source in another namespace, unless `old` has one.
 */
function unifyDataSources(claim: Draft<PersistentVolumeClaimSpec>, old: PersistentVolumeClaimSpec | undefined): void {
  if (claim.dataSourceRef?.namespace && !old?.dataSourceRef) delete claim.dataSourceRef;
  const { dataSource, dataSourceRef } = claim;
  if (dataSource && !dataSourceRef) {
    const { apiGroup = '', kind } = dataSource;
    const classic =
      (apiGroup === '' && kind === 'PersistentVolumeClaim') ||
      (apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot');
    if (classic || old?.dataSource || old?.dataSourceRef) claim.dataSourceRef = draft(dataSource);
    else delete claim.dataSource;
  } else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _, ...reference } = dataSourceRef;
    claim.dataSource = draft(reference);
  }
}

/** Once bound, a claim may grow and change its attributes class; before, the binder fills in volume and class. */
function validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const errors: FieldError[] = [];
  const now: Record<string, unknown> = { ...claim.spec };
  const before: Record<string, unknown> = { ...old.spec };
  if (!old.spec.volumeName) before.volumeName = claim.spec.volumeName;
  if (movesClassFromAnnotation(claim, old)) delete now.storageClassName;
  else {
    errors.push(...validateClassAnnotation(claim, old));
    if (setsClass(claim, old)) delete now.storageClassName;
  }
  const storage = claim.spec.resources?.requests?.storage;
  const storageBefore = old.spec.resources?.requests?.storage;
  if (claim.status?.phase === 'Bound') {
    if (claim.spec.resources?.requests)
      now.resources = {
        ...claim.spec.resources,
        requests: { ...claim.spec.resources.requests, storage: storageBefore },
      };
    now.volumeAttributesClassName = old.spec.volumeAttributesClassName;
  }
  if (!semanticEqual(now, before))
    errors.push(
      forbiddenField(
        spec,
        `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${internalDiff('PersistentVolumeClaimSpec', before, now)}`,
      ),
    );
  const size = amountOf(storage);
  if (size.cmp(amountOf(storageBefore)) < 0 && size.cmp(amountOf(old.status?.capacity?.storage)) <= 0)
    errors.push(
      forbiddenField(spec.child('resources', 'requests', 'storage'), 'field can not be less than status.capacity'),
    );
  // Upstream's path, without `spec`.
  errors.push(...immutable(FieldPath.of('volumeMode'), claim.spec.volumeMode, old.spec.volumeMode));
  const attributes = claim.spec.volumeAttributesClassName;
  if (
    attributes !== old.spec.volumeAttributesClassName &&
    old.status?.currentVolumeAttributesClassName !== undefined &&
    !attributes
  )
    errors.push(
      forbiddenField(
        spec.child('volumeAttributesClassName'),
        `update to ${attributes === '' ? 'empty string' : 'nil'} is forbidden when status.currentVolumeAttributesClassName is not nil`,
      ),
    );
  return errors;
}

const amountOf = (text: string | undefined) => parseAmount(text) ?? Quantity.parse('0');

const classAnnotationOf = ({ metadata }: PersistentVolumeClaim) => metadata.annotations?.[classAnnotation];

/** The class that an old annotation named is now named by the field. */
function movesClassFromAnnotation(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const named = classAnnotationOf(old);
  const name = classAnnotationOf(claim);
  return (
    named !== undefined &&
    old.spec.storageClassName === undefined &&
    claim.spec.storageClassName === named &&
    (name === undefined || name === named)
  );
}

/** A claim without a class gets one: the default class of a cluster came later than the claim. */
function setsClass(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const name = claim.spec.storageClassName;
  const named = classAnnotationOf(old);
  return name !== undefined && old.spec.storageClassName === undefined && (named === undefined || named === name);
}

function validateClassAnnotation(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const now = classAnnotationOf(claim) ?? '';
  if (now === (classAnnotationOf(old) ?? '')) return [];
  return [invalidValue(FieldPath.of('metadata', 'annotations', classAnnotation), now, immutableMessage)];
}

const resizeStatuses = [
  ...['ControllerResizeInProgress', 'ControllerResizeInfeasible', 'NodeResizeInProgress', 'NodeResizeInfeasible'],
  'NodeResizePending',
];

function validateClaimStatusUpdate({ spec: claim, status }: PersistentVolumeClaim): FieldError[] {
  const errors = claim?.accessModes?.length ? [] : [required(FieldPath.of('Spec', 'accessModes'))];
  const path = FieldPath.of('status');
  for (const [name, amount] of Object.entries(status?.capacity ?? {}))
    errors.push(...validateBasicAmount(amount, path.child('capacity').key(name)));
  for (const [name, resize] of Object.entries(status?.allocatedResourceStatuses ?? {})) {
    const at = path.child('allocatedResourceStatuses');
    errors.push(...validateAllocatedName(name, at));
    if (!resizeStatuses.includes(resize)) errors.push(notSupported(at, name, resizeStatuses));
  }
  for (const [name, amount] of Object.entries(status?.allocatedResources ?? {})) {
    const at = path.child('allocatedResources');
    const wrong = validateAllocatedName(name, at);
    if (wrong.length === 0) wrong.push(...validateBasicAmount(amount, at.key(name)));
    if (wrong.length === 0) wrong.push(...validateResourceAmount(name, amount, at.key(name)));
    errors.push(...wrong);
  }
  return errors;
}

function validateAllocatedName(name: string, path: FieldPath): FieldError[] {
  const errors = invalidFor(path, name, isQualifiedName(name));
  if (errors.length > 0 || name === 'storage') return errors;
  const native = !name.includes('/') || name.includes('kubernetes.io/');
  return native ? [notSupported(path, name, ['storage'])] : [];
}
