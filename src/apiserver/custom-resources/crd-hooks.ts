import { customResourceDefinition } from '../../api/apiextensions/custom-resource-definition.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { invalid } from '../../apimachinery/status-error.ts';
import { timestamp } from '../registry/registry-services.ts';
import type { ResourceHooks } from '../registry/resource-hooks.ts';
import { markedForDeletion, withCondition } from './conditions.ts';

/** Keeps a CRD until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export const customResourceDefinitionHooks: ResourceHooks = {
  async beginCreate(object) {
    await checkSchemas(object as unknown as CustomResourceDefinition, undefined);
    return undefined;
  },
  async beginUpdate(object, old) {
    await checkSchemas(object as unknown as CustomResourceDefinition, old as unknown as CustomResourceDefinition);
    return undefined;
  },
  markForDeletion(object: Draft<UnstructuredObject>, now: number) {
    const crd = object as unknown as Draft<CustomResourceDefinition>;
    const { metadata } = crd;
    metadata.deletionTimestamp = timestamp(now);
    metadata.deletionGracePeriodSeconds = 0;
    metadata.finalizers ??= [];
    if (!metadata.finalizers.includes(CLEANUP_FINALIZER)) metadata.finalizers.push(CLEANUP_FINALIZER);
    crd.status ??= {};
    crd.status.conditions = [...withCondition(crd.status.conditions ?? [], markedForDeletion, timestamp(now))];
    return true;
  },
};

/** Defaults and validation rules are tried where what they take is at hand, once the schemas are such that they can be. */
async function checkSchemas(crd: CustomResourceDefinition, old: CustomResourceDefinition | undefined): Promise<void> {
  const versions = crd.spec?.versions;
  if (!Array.isArray(versions) || deepEqual(crd.spec, old?.spec)) return;
  const schemas = versions.map((version) => version?.schema?.openAPIV3Schema);
  const text = JSON.stringify(schemas);
  const withDefaults = text.includes('"default":');
  const withRules = text.includes('"x-kubernetes-validations":');
  if (!withDefaults && !withRules) return;
  // What is otherwise invalid is told by the kind's validation, which comes next.
  if (customResourceDefinition.validate?.(crd).some(({ field }) => field.startsWith('spec.'))) return;
  const checks = await Promise.all([
    ...(withDefaults ? [import('./schema/check-defaults.ts').then(({ checkDefaults }) => checkDefaults)] : []),
    ...(withRules ? [import('../cel/check-schema-rules.ts').then(({ checkSchemaRules }) => checkSchemaRules)] : []),
  ]);
  const shared = schemas.every((schema) => deepEqual(schema, schemas[0]));
  const errors = schemas.flatMap((schema, index) => {
    if (!schema || (shared && index > 0)) return [];
    const path = shared
      ? FieldPath.of('spec', 'validation')
      : FieldPath.of('spec', 'versions').index(index).child('schema');
    if (old?.spec.versions.some((version) => deepEqual(version.schema?.openAPIV3Schema, schema))) return [];
    return checks.flatMap((check) => {
      try {
        return check(path.child('openAPIV3Schema'), schema);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return [invalidValue(path.child('openAPIV3Schema'), '', 'is nested too deeply')];
      }
    });
  });
  if (errors.length)
    throw invalid({ group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' }, crd.metadata.name, errors);
}
