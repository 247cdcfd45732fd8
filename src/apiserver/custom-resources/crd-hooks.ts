import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { timestamp } from '../registry/registry-services.ts';
import type { ResourceHooks } from '../registry/resource-hooks.ts';
import { markedForDeletion, withCondition } from './conditions.ts';

/** Keeps a CRD until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export const customResourceDefinitionHooks: ResourceHooks = {
  markForDeletion(object: Draft<UnstructuredObject>, now: number) {
    const crd = object as unknown as Draft<CustomResourceDefinition>;
    const { metadata } = crd;
    metadata.deletionTimestamp = timestamp(now);
    metadata.deletionGracePeriodSeconds = 0;
    metadata.finalizers ??= [];
    if (!metadata.finalizers.includes(CLEANUP_FINALIZER)) metadata.finalizers.push(CLEANUP_FINALIZER);
    crd.status ??= {};
    crd.status.conditions = withCondition(crd.status.conditions ?? [], markedForDeletion, timestamp(now)) as Draft<
      NonNullable<CustomResourceDefinition['status']>['conditions']
    > as never;
    return true;
  },
};
