import type { KindDefinition, KindRegistry } from '../../../api/kind.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';

/** Other versions and groups of the same objects, in the registry's order. */
export function equivalentKinds(kinds: KindRegistry, definition: KindDefinition): readonly KindDefinition[] {
  const stored = storageOf(definition);
  return kinds.all().filter((other) => {
    if (other === definition || other.virtual) return false;
    const storage = storageOf(other);
    return storage.group === stored.group && storage.resource === stored.resource;
  });
}

function storageOf(definition: KindDefinition): { readonly group: string; readonly resource: string } {
  return definition.storage ?? definition;
}

/** A copy of the object in the form of another of its kinds. */
export async function convertTo(
  object: UnstructuredObject,
  from: KindDefinition,
  to: KindDefinition,
): Promise<Draft<UnstructuredObject>> {
  const copy = draft(object) as Draft<UnstructuredObject>;
  const stored = from.storage && !from.storage.storesAsIs?.(object) ? await from.storage.toStorage(copy) : copy;
  if (!to.storage) return stored;
  if (to.storage.convert && stored.apiVersion !== `${to.group}/${to.version}`) {
    const [converted] = await to.storage.convert([stored as UnstructuredObject]);
    return draft(converted) as Draft<UnstructuredObject>;
  }
  return to.storage.fromStorage(stored) as Draft<UnstructuredObject>;
}
