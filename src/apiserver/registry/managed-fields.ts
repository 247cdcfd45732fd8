import type { KindDefinition } from '../../api/kind.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { trackWrite } from '../../apimachinery/managed-fields/track-write.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { type RegistryServices, timestamp } from './registry-services.ts';

/** Notes in `metadata.managedFields` which fields this write sets. */
export function trackManagedFields(
  services: RegistryServices,
  definition: KindDefinition,
  object: Draft<UnstructuredObject>,
  old: UnstructuredObject | undefined,
  manager: string,
  subresource?: string,
): Draft<UnstructuredObject> {
  return trackWrite({
    object,
    old,
    schema: definition.schema,
    manager,
    apiVersion: apiVersionOf(definition.group, definition.version),
    operation: 'Update',
    now: timestamp(services.now()),
    ...(subresource ? { subresource } : {}),
  }) as Draft<UnstructuredObject>;
}
