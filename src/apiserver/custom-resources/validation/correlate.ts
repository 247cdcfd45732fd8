import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import { additionalPropertiesSchema, itemsSchema } from '../schema/schema-parts.ts';

/**
 * A value of an object and what it was before: fields and values of maps correlate by name, items of lists of type map
 * by their keys; in other lists there is no telling.
 */
export class Correlation {
  readonly value: unknown;
  readonly old: unknown;
  readonly #props: JSONSchemaProps;
  #byKey: ReadonlyMap<string | undefined, unknown> | undefined;
  #equal: boolean | undefined;

  constructor(value: unknown, old: unknown, props: JSONSchemaProps) {
    this.value = value;
    this.old = old;
    this.#props = props;
  }

  key(name: string): Correlation | undefined {
    const { value, old } = this;
    if (!isDictionary(value) || !isDictionary(old)) return undefined;
    if (!Object.hasOwn(value, name) || !Object.hasOwn(old, name)) return undefined;
    const { properties } = this.#props;
    const known = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
    const props = known ?? additionalPropertiesSchema(this.#props);
    return props && new Correlation(value[name], old[name], props);
  }

  index(index: number): Correlation | undefined {
    const { value, old } = this;
    const props = itemsSchema(this.#props);
    if (!Array.isArray(value) || !Array.isArray(old) || !props || !isMapList(this.#props)) return undefined;
    const keys = this.#props['x-kubernetes-list-map-keys'] ?? [];
    this.#byKey ??= new Map([...old].reverse().map((item) => [keyOf(item, keys, this.#props), item]));
    const before = this.#byKey.get(keyOf(value[index], keys, this.#props));
    return before === undefined ? undefined : new Correlation(value[index], before, props);
  }

  /** Whether the value is what it was; the order of lists of type map does not matter. */
  get equal(): boolean {
    this.#equal ??= this.#compare();
    return this.#equal;
  }

  #compare(): boolean {
    const { value, old } = this;
    if (value === old) return true;
    if (!hasMapLists(this.#props)) return deepEqual(value, old);
    if (Array.isArray(value) && Array.isArray(old)) {
      if (value.length !== old.length) return false;
      if (!isMapList(this.#props)) return deepEqual(value, old);
      return value.every((_, index) => this.index(index)?.equal === true);
    }
    if (!isDictionary(value) || !isDictionary(old)) return deepEqual(value, old);
    const names = Object.keys(value);
    return (
      names.length === Object.keys(old).length &&
      names.every((name) => this.key(name)?.equal ?? (Object.hasOwn(old, name) && deepEqual(value[name], old[name])))
    );
  }
}

const isMapList = (props: JSONSchemaProps) => props['x-kubernetes-list-type'] === 'map';

/** A pure cache of immutable data: by schema, whether a list of type map can be in it. */
const mapListsBelow = new WeakMap<JSONSchemaProps, boolean>();

function hasMapLists(props: JSONSchemaProps): boolean {
  let found = mapListsBelow.get(props);
  if (found === undefined) {
    const children = [itemsSchema(props), additionalPropertiesSchema(props), ...Object.values(props.properties ?? {})];
    found = isMapList(props) || children.some((child) => child && hasMapLists(child));
    mapListsBelow.set(props, found);
  }
  return found;
}

/** The values of an item's keys as one text. */
export function keyOf(item: unknown, keys: readonly string[], list: JSONSchemaProps): string | undefined {
  if (!isDictionary(item)) return undefined;
  const fields = itemsSchema(list)?.properties;
  return JSON.stringify(keys.map((key) => (Object.hasOwn(item, key) ? item[key] : fields?.[key]?.default)));
}
