import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { Namespace } from '../types/core.v1.gen.ts';

/** Every namespace carries its name as a label, for selectors. */
const nameLabel = 'kubernetes.io/metadata.name';

export const namespace = defineKind<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  nameFormat: 'dns1123Label',
  default: labelWithName,
  prepareForCreate(namespace) {
    labelWithName(namespace);
    namespace.status = { phase: 'Active' };
    namespace.spec ??= {};
    if (!namespace.spec.finalizers?.includes('kubernetes'))
      namespace.spec.finalizers = [...(namespace.spec.finalizers ?? []), 'kubernetes'];
  },
  prepareForUpdate(namespace, old) {
    // Finalizers change through /finalize alone.
    namespace.spec = { ...namespace.spec };
    if (old.spec?.finalizers) namespace.spec.finalizers = [...old.spec.finalizers];
    else delete namespace.spec.finalizers;
  },
  validate: validateNamespace,
  subresources: { status: { validateUpdate: validateStatusUpdate } },
  columns: [
    nameColumn,
    column('Status', (namespace) => namespace.status?.phase ?? '', { description: 'Active or Terminating' }),
    ageColumn,
  ],
  selectableFields: {
    'status.phase': (namespace) => namespace.status?.phase ?? '',
  },
});

function labelWithName(namespace: Draft<Namespace>): void {
  const { name } = namespace.metadata;
  // A generated name comes later.
  if (name) namespace.metadata.labels = { ...namespace.metadata.labels, [nameLabel]: name };
}

function validateNamespace(namespace: Namespace): FieldError[] {
  return (namespace.spec?.finalizers ?? []).flatMap((finalizer) =>
    validateFinalizer(finalizer, FieldPath.of('spec', 'finalizers')),
  );
}

/** A finalizer of `spec.finalizers`: `kubernetes`, or a name with a domain. */
export function validateFinalizer(finalizer: string, path: FieldPath): FieldError[] {
  const errors = isQualifiedName(finalizer).map((message) => invalidValue(path, finalizer, message));
  if (errors.length === 0 && !finalizer.includes('/') && finalizer !== 'kubernetes')
    errors.push(invalidValue(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'));
  return errors;
}

function validateStatusUpdate({ metadata, status }: Namespace): FieldError[] {
  const path = FieldPath.of('status', 'Phase');
  const phase = status?.phase;
  if (!metadata.deletionTimestamp)
    return phase === 'Active'
      ? []
      : [invalidValue(path, phase ?? '', "may only be 'Active' if `deletionTimestamp` is empty")];
  return phase === 'Terminating'
    ? []
    : [invalidValue(path, phase ?? '', "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}
