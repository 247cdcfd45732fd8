import { type FieldError, FieldPath, required } from '../../apimachinery/field.ts';
import type { Condition, ObjectMeta } from '../../apimachinery/meta.v1.gen.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { defineKind } from '../define.ts';
import { immutable, invalidFor } from '../field-checks.ts';

/** Asks that all objects of a resource are written again, so that they are stored as they would be stored now. */
export interface StorageVersionMigration {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: { readonly resource: { readonly group: string; readonly resource: string } };
  readonly status?: { readonly conditions?: readonly Condition[]; readonly resourceVersion?: string };
}

const resource = FieldPath.of('spec', 'resource');

export const storageVersionMigration = defineKind<StorageVersionMigration>({
  group: 'storagemigration.k8s.io',
  version: 'v1beta1',
  kind: 'StorageVersionMigration',
  requireResourceVersionOnUpdate: true,
  validate({ spec }) {
    const { group = '', resource: name = '' } = spec?.resource ?? {};
    const errors: FieldError[] = name
      ? invalidFor(resource.child('resource'), name, isDns1035Label(name))
      : [required(resource.child('resource'), 'resource is required to be set')];
    if (group) errors.push(...invalidFor(resource.child('group'), group, isDns1123Subdomain(group)));
    return errors;
  },
  validateUpdate: (object, old) => [
    ...immutable(FieldPath.of('group'), object.spec.resource.group, old.spec.resource.group),
    ...immutable(FieldPath.of('resource'), object.spec.resource.resource, old.spec.resource.resource),
  ],
});
