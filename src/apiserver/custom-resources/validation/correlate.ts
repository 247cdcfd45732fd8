import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import { itemsSchema } from '../schema/schema-parts.ts';

/**
 * Finds the old item that an item of a list is the new state of: by key in lists of type map; in other lists
 * there is no telling (`undefined`).
 */
export function correlate(
  list: JSONSchemaProps,
  old: readonly unknown[],
): ((item: unknown, index: number) => unknown) | undefined {
  if (list['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = list['x-kubernetes-list-map-keys'] ?? [];
  const byKey = new Map(old.map((item) => [keyOf(item, keys, list), item]));
  return (item) => byKey.get(keyOf(item, keys, list));
}

/** The values of an item's keys as one text. */
export function keyOf(item: unknown, keys: readonly string[], list: JSONSchemaProps): string | undefined {
  if (!isDictionary(item)) return undefined;
  const fields = itemsSchema(list)?.properties;
  return JSON.stringify(keys.map((key) => (Object.hasOwn(item, key) ? item[key] : fields?.[key]?.default)));
}
