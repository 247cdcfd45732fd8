import { type FieldError, FieldPath, forbiddenField, invalidValue, notSupported } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { invalidFor, nonNegative } from '../field-checks.ts';
import type { Lease } from '../types/coordination.v1.gen.ts';

const spec = FieldPath.of('spec');

export const lease = defineKind<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  createOnUpdate: true,
  requireResourceVersionOnUpdate: true,
  // Elections that the control plane coordinates are off in this version.
  prepareForCreate: ({ spec }) => {
    delete spec?.strategy;
    delete spec?.preferredHolder;
  },
  prepareForUpdate: ({ spec }, old) => {
    if (old.spec?.strategy === undefined) delete spec?.strategy;
    if (old.spec?.preferredHolder === undefined) delete spec?.preferredHolder;
  },
  validate: validateLease,
  columns: [
    nameColumn,
    column('Holder', (object) => object.spec?.holderIdentity ?? '', { description: 'Who holds the lease' }),
    ageColumn,
  ],
});

function validateLease(lease: Lease): FieldError[] {
  const { leaseDurationSeconds, leaseTransitions, strategy, preferredHolder } = lease.spec ?? {};
  const errors: FieldError[] = [];
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
    errors.push(invalidValue(spec.child('leaseDurationSeconds'), leaseDurationSeconds, 'must be greater than 0'));
  errors.push(...nonNegative(spec.child('leaseTransitions'), leaseTransitions));
  if (strategy !== undefined) {
    const path = spec.child('strategy', 'strategy');
    if (strategy.includes('/')) errors.push(...invalidFor(path, strategy, isQualifiedName(strategy)));
    else if (strategy !== 'OldestEmulationVersion')
      errors.push(notSupported(path, strategy, ['OldestEmulationVersion']));
  }
  if (preferredHolder && !strategy)
    errors.push(forbiddenField(spec.child('preferredHolder'), 'may only be specified if `strategy` is defined'));
  return errors;
}
