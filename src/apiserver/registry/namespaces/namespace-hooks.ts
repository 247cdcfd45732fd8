import { validateFinalizer } from '../../../api/core/namespace.ts';
import type { Namespace } from '../../../api/types/core.v1.gen.ts';
import { FieldPath } from '../../../apimachinery/field.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { timestamp } from '../registry-services.ts';
import type { ResourceHooks } from '../resource-hooks.ts';
import type { SubresourceStrategy } from '../update.ts';

const finalizersOf = (object: unknown) => (object as Namespace).spec?.finalizers ?? [];

/** A namespace is emptied before it goes: deletion marks it, and the last entry of `spec.finalizers` holds it. */
export const namespaceHooks: ResourceHooks = {
  markForDeletion(object, now) {
    const namespace = object as unknown as Draft<Namespace>;
    namespace.metadata.deletionTimestamp = timestamp(now);
    namespace.status = { ...namespace.status, phase: 'Terminating' };
    return true;
  },
  holdsDeletion: (object) => finalizersOf(object).length > 0,
};

/**
 * `/finalize`: the namespace as the client has it, `spec.finalizers` and metadata alike, but for the status; when no
 * finalizer of any kind is left, it goes.
 */
export const finalizeStrategy: SubresourceStrategy = {
  name: 'finalize',
  prepare(object, old) {
    const namespace = object as unknown as Draft<Namespace>;
    const { status } = old as unknown as Namespace;
    if (status) namespace.status = draft(status);
    else delete namespace.status;
  },
  validate: (object: UnstructuredObject) =>
    finalizersOf(object).flatMap((finalizer, index) =>
      validateFinalizer(finalizer, FieldPath.of('spec', 'finalizers').index(index)),
    ),
};
