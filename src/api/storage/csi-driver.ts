import { duplicate, type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable, optionalOneOf } from '../field-checks.ts';
import type { CSIDriver, CSIDriverSpec } from '../types/storage.v1.gen.ts';

const spec = FieldPath.of('spec');
// Upstream's spelling of the field in its errors.
const attachRequired = spec.child('attachedRequired');

const flag = { type: 'boolean' } as const;

export const csiDriver = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => {
    if (!spec) return;
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  prepareForCreate: ({ metadata, spec }) => {
    // Only changes are counted.
    delete metadata.generation;
    delete spec?.preventPodSchedulingIfMissing;
  },
  // That scheduling looks at it is off in this version.
  prepareForUpdate: ({ spec }, old) => {
    if (old.spec?.preventPodSchedulingIfMissing === undefined) delete spec?.preventPodSchedulingIfMissing;
  },
  validate: (object) => validateSpec(object.spec ?? {}),
  validateUpdate: (object, old) => [
    ...immutable(attachRequired, object.spec?.attachRequired, old.spec?.attachRequired),
    ...immutable(spec.child('volumeLifecycleModes'), object.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes),
  ],
  columns: [
    nameColumn,
    column('AttachRequired', ({ spec }) => spec.attachRequired ?? true, {
      ...flag,
      description: 'Whether volumes are attached before they are mounted',
    }),
    column('PodInfoOnMount', ({ spec }) => spec.podInfoOnMount ?? false, {
      ...flag,
      description: 'Whether the driver is told about the pod',
    }),
    column('StorageCapacity', ({ spec }) => spec.storageCapacity ?? false, {
      ...flag,
      description: 'Whether the driver publishes its capacity',
    }),
    column('TokenRequests', ({ spec }) => spec.tokenRequests?.map(({ audience }) => audience).join(',') ?? '<unset>', {
      description: 'Audiences of the tokens that the driver gets',
    }),
    column('RequiresRepublish', ({ spec }) => spec.requiresRepublish ?? false, {
      ...flag,
      description: 'Whether volumes are published again and again',
    }),
    column('Modes', ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',') || '<none>', {
      description: 'Life cycles of volumes that the driver supports',
    }),
    ageColumn,
  ],
});

function validateSpec(driver: CSIDriverSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (driver.attachRequired === undefined) errors.push(required(attachRequired));
  for (const field of ['podInfoOnMount', 'storageCapacity', 'seLinuxMount'] as const)
    if (driver[field] === undefined) errors.push(required(spec.child(field)));
  errors.push(
    ...optionalOneOf(spec.child('fsGroupPolicy'), driver.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']),
    ...validateTokenRequests(driver.tokenRequests ?? []),
    ...(driver.volumeLifecycleModes ?? []).flatMap((mode) =>
      optionalOneOf(spec.child('volumeLifecycleModes'), mode, ['Persistent', 'Ephemeral']),
    ),
  );
  const period = driver.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < 10)
    errors.push(
      invalidValue(
        spec.child('nodeAllocatableUpdatePeriodSeconds'),
        period,
        'must be greater than or equal to 10 seconds',
      ),
    );
  if (driver.serviceAccountTokenInSecrets !== undefined && !driver.tokenRequests?.length)
    errors.push(
      invalidValue(
        spec.child('serviceAccountTokenInSecrets'),
        driver.serviceAccountTokenInSecrets,
        'serviceAccountTokenInSecrets is set but no tokenRequests are specified',
      ),
    );
  return errors;
}

function validateTokenRequests(requests: NonNullable<CSIDriverSpec['tokenRequests']>): FieldError[] {
  const errors: FieldError[] = [];
  const audiences = new Set<string>();
  requests.forEach(({ audience, expirationSeconds }, index) => {
    const path = spec.child('tokenRequests').index(index);
    if (audiences.has(audience)) {
      errors.push(duplicate(path.child('audience'), audience));
      return;
    }
    audiences.add(audience);
    if (expirationSeconds === undefined) return;
    const seconds = path.child('expirationSeconds');
    if (expirationSeconds < 600)
      errors.push(invalidValue(seconds, expirationSeconds, 'may not specify a duration less than 10 minutes'));
    if (expirationSeconds > 2 ** 32)
      errors.push(invalidValue(seconds, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
  });
  return errors;
}
