import type { KindDefinition } from '../../api/kind.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { trackWrite } from '../../apimachinery/managed-fields/track-write.ts';
import type { Versions } from '../../apimachinery/managed-fields/versions.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { type RegistryServices, timestamp } from './registry-services.ts';

/** Notes in `metadata.managedFields` which fields this write sets. */
export function trackManagedFields(
  services: Pick<RegistryServices, 'kinds' | 'now'>,
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
    versions: otherVersions(services, definition),
    ...(subresource ? { subresource } : {}),
  }) as Draft<UnstructuredObject>;
}

/** The versions besides `definition` in which its kind is served. What a webhook converts is taken to have the same fields. */
export function otherVersions({ kinds }: Pick<RegistryServices, 'kinds'>, definition: KindDefinition): Versions {
  return (apiVersion) => {
    const slash = apiVersion.indexOf('/');
    const group = slash < 0 ? '' : apiVersion.slice(0, slash);
    const other = kinds.byKind(group, apiVersion.slice(slash + 1), definition.kind);
    if (!other) return undefined;
    if (definition.storage?.convert || other.storage?.convert)
      return { schema: definition.schema, convert: (object) => object, revert: (object) => object };
    return {
      schema: other.schema,
      convert: (object) => converted(object, definition, other),
      revert: (object) => converted(object, other, definition),
    };
  };
}

function converted(object: UnstructuredObject, from: KindDefinition, to: KindDefinition): UnstructuredObject {
  const stored = from.storage ? from.storage.toStorage(draft(object) as Draft<UnstructuredObject>) : object;
  const given = to.storage ? to.storage.fromStorage(draft(stored) as Draft<UnstructuredObject>) : stored;
  return given as UnstructuredObject;
}
