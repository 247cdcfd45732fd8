import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { duplicate, type FieldError } from '../../../apimachinery/field.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import { additionalPropertiesSchema, itemsSchema } from '../schema/schema-parts.ts';
import { keyOf } from './correlate.ts';

/** Items that occur twice in lists of type set and map. */
export function duplicateItems(value: unknown, props: JSONSchemaProps): FieldError[] {
  const errors: FieldError[] = [];
  if (hasListTypes(props)) visit(value, props, '', errors);
  return errors;
}

function visit(value: unknown, props: JSONSchemaProps, at: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    const listType = props['x-kubernetes-list-type'];
    if (listType === 'set') noTwice(value, at, errors, stableText, (item) => item);
    else if (listType === 'map') {
      const keys = props['x-kubernetes-list-map-keys'] ?? [];
      const shownKey = (item: unknown) =>
        Object.fromEntries(
          keys
            .filter((key) => isDictionary(item) && Object.hasOwn(item, key))
            .map((key) => [key, (item as Record<string, unknown>)[key]]),
        );
      noTwice(value, at, errors, (item) => keyOf(item, keys, props), shownKey);
    }
    const items = itemsSchema(props);
    if (items && hasListTypes(items))
      for (const [index, item] of value.entries()) visit(item, items, `${at}[${index}]`, errors);
  } else if (isDictionary(value)) {
    const values = additionalPropertiesSchema(props);
    for (const key of Object.keys(value)) {
      const field = props.properties && Object.hasOwn(props.properties, key) ? props.properties[key] : undefined;
      const child = field ?? values;
      if (!child || !hasListTypes(child)) continue;
      visit(value[key], child, field ? (at === '' ? key : `${at}.${key}`) : `${at}[${key}]`, errors);
    }
  }
}

function noTwice(
  items: readonly unknown[],
  at: string,
  errors: FieldError[],
  identity: (item: unknown) => string | undefined,
  show: (item: unknown) => unknown,
): void {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const id = identity(item);
    if (id === undefined) continue;
    if (seen.has(id)) errors.push(duplicate(`${at}[${index}]`, show(item)));
    seen.add(id);
  }
}

/** JSON with keys in order. */
function stableText(value: unknown): string {
  return JSON.stringify(value, (_, child) =>
    isDictionary(child) ? Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : 1))) : child,
  );
}

/** A pure cache of immutable data: by schema, whether a set or map list can be in it. */
const listTypesBelow = new WeakMap<JSONSchemaProps, boolean>();

function hasListTypes(props: JSONSchemaProps): boolean {
  let found = listTypesBelow.get(props);
  if (found === undefined) {
    const children = [itemsSchema(props), additionalPropertiesSchema(props), ...Object.values(props.properties ?? {})];
    found =
      props['x-kubernetes-list-type'] === 'set' ||
      props['x-kubernetes-list-type'] === 'map' ||
      children.some((child) => child && hasListTypes(child));
    listTypesBelow.set(props, found);
  }
  return found;
}
