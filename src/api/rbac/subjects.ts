import { type FieldError, FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { isDns1123Subdomain, isPathSegmentName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { immutableMessage, invalidFor, optionalOneOf, semanticEqual } from '../field-checks.ts';
import type { PrinterColumn } from '../kind.ts';
import type { ClusterRoleBinding, RoleBinding, Subject } from '../types/rbac.v1.gen.ts';

type Binding = RoleBinding | ClusterRoleBinding;

const group = 'rbac.authorization.k8s.io';
const roleRef = FieldPath.of('roleRef');

export function defaultBinding(binding: Draft<Binding>): void {
  if (binding.roleRef) binding.roleRef.apiGroup ||= group;
  for (const subject of binding.subjects ?? [])
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= group;
}

/** `roleKinds`: what it may refer to; `namespaced`: its own namespace is that of ServiceAccounts without one. */
export function validateBinding(binding: Binding, roleKinds: readonly string[], namespaced: boolean): FieldError[] {
  const { apiGroup = '', kind = '', name = '' } = binding.roleRef ?? {};
  return [
    ...optionalOneOf(roleRef.child('apiGroup'), apiGroup, [group]),
    ...optionalOneOf(roleRef.child('kind'), kind, roleKinds),
    ...(name ? invalidFor(roleRef.child('name'), name, isPathSegmentName(name)) : [required(roleRef.child('name'))]),
    ...(binding.subjects ?? []).flatMap((subject, index) =>
      validateSubject(FieldPath.of('subjects').index(index), subject, namespaced),
    ),
  ];
}

export function validateBindingUpdate(binding: Binding, old: Binding): FieldError[] {
  if (semanticEqual(binding.roleRef, old.roleRef)) return [];
  // The names of the fields as the server's own types have them.
  const { apiGroup: APIGroup = '', kind: Kind = '', name: Name = '' } = binding.roleRef ?? {};
  return [invalidValue(roleRef, { APIGroup, Kind, Name }, immutableMessage)];
}

function validateSubject(path: FieldPath, subject: Subject, namespaced: boolean): FieldError[] {
  const { kind, name, namespace, apiGroup = '' } = subject;
  const errors = name ? [] : [required(path.child('name'))];
  switch (kind) {
    case 'ServiceAccount':
      if (name) errors.push(...invalidFor(path.child('name'), name, isDns1123Subdomain(name)));
      if (apiGroup !== '') errors.push(notSupported(path.child('apiGroup'), apiGroup, ['']));
      if (!namespaced && !namespace) errors.push(required(path.child('namespace')));
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== group) errors.push(notSupported(path.child('apiGroup'), apiGroup, [group]));
      break;
    default:
      errors.push(notSupported(path.child('kind'), kind ?? '', ['ServiceAccount', 'User', 'Group']));
  }
  return errors;
}

export const bindingColumns: readonly PrinterColumn<Binding>[] = [
  nameColumn,
  column('Role', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`, { description: 'Role that is granted' }),
  ageColumn,
  column('Users', (object) => names(object, 'User'), { wide: true, description: 'Users it is granted to' }),
  column('Groups', (object) => names(object, 'Group'), { wide: true, description: 'Groups it is granted to' }),
  column('ServiceAccounts', (object) => names(object, 'ServiceAccount'), {
    wide: true,
    description: 'ServiceAccounts it is granted to',
  }),
];

function names({ subjects }: Binding, kind: string): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ namespace, name }) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
    .join(', ');
}
