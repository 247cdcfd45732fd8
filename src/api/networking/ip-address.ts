import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1123Subdomain, isPathSegmentName } from '../../apimachinery/names.ts';
import { column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutableMessage, invalidFor, semanticEqual } from '../field-checks.ts';
import { strictIpMessages } from '../ip-addresses.ts';
import type { IPAddress, ParentReference } from '../types/networking.v1.gen.ts';

const parent = FieldPath.of('spec', 'parentRef');

export const ipAddress = defineKind<IPAddress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  nameFormat: { validate: strictIpMessages },
  generateNameIsName: true,
  validate: (object) => (object.spec?.parentRef ? validateParent(object.spec.parentRef) : [required(parent)]),
  validateUpdate: ({ spec }, old) =>
    semanticEqual(spec?.parentRef, old.spec?.parentRef)
      ? []
      : [invalidValue(parent, internalParent(spec?.parentRef), immutableMessage)],
  columns: [
    nameColumn,
    column('ParentRef', ({ spec }) => parentText(spec?.parentRef), {
      description: 'Object that the address belongs to',
    }),
  ],
  selectableFields: {
    'spec.parentRef.resource': ({ spec }) => spec?.parentRef?.resource ?? '',
    'spec.parentRef.name': ({ spec }) => spec?.parentRef?.name ?? '',
    'spec.parentRef.namespace': ({ spec }) => spec?.parentRef?.namespace ?? '',
    'spec.parentRef.group': ({ spec }) => spec?.parentRef?.group ?? '',
  },
});

/** The reference as errors show it. */
const internalParent = (reference: ParentReference | undefined) =>
  reference
    ? {
        Group: reference.group ?? '',
        Resource: reference.resource,
        Namespace: reference.namespace ?? '',
        Name: reference.name,
      }
    : null;

function parentText(reference: ParentReference | undefined): string {
  if (!reference) return '<none>';
  const { group, resource, namespace, name } = reference;
  return [`${resource}${group ? `.${group}` : ''}`.toLowerCase(), namespace, name].filter(Boolean).join('/');
}

function validateParent({ group, resource, namespace, name }: ParentReference): FieldError[] {
  const segment = (field: string, value: string) => invalidFor(parent.child(field), value, isPathSegmentName(value));
  return [
    // The core group is the empty one.
    ...(group ? invalidFor(parent.child('group'), group, isDns1123Subdomain(group)) : []),
    ...(resource ? segment('resource', resource) : [required(parent.child('resource'))]),
    ...(name ? segment('name', name) : [required(parent.child('name'))]),
    ...(namespace ? segment('namespace', namespace) : []),
  ];
}
