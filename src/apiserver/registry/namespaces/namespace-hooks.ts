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

/** `/finalize`: `spec.finalizers` as the client has it; when none is left of any kind, the namespace goes. */
export const finalizeStrategy: SubresourceStrategy = {
  name: 'finalize',
  prepare(object, old) {
    const finalizers = [...finalizersOf(object)];
    const { finalizers: metaFinalizers, managedFields, resourceVersion } = object.metadata;
    for (const key of Object.keys(object)) delete (object as Record<string, unknown>)[key];
    Object.assign(object, draft(old));
    const namespace = object as unknown as Draft<Namespace>;
    namespace.spec = { ...namespace.spec, finalizers };
    if (metaFinalizers) namespace.metadata.finalizers = metaFinalizers;
    else delete namespace.metadata.finalizers;
    if (managedFields) namespace.metadata.managedFields = managedFields;
    if (resourceVersion) namespace.metadata.resourceVersion = resourceVersion;
    else delete namespace.metadata.resourceVersion;
  },
  validate: (object: UnstructuredObject) =>
    finalizersOf(object).flatMap((finalizer) => validateFinalizer(finalizer, FieldPath.of('spec', 'finalizers'))),
};
