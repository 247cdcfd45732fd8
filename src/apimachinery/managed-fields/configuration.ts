import type { Schema } from '../schema.ts';
import { type Dictionary, isDictionary, setKey } from '../schema-walk.ts';
import { emptySet, type FieldSet, leaf, step } from './field-set.ts';
import { childSchema, elementOf, itemSchema, itemsByElement, shapeOf } from './shape.ts';

/** An applied configuration: the fields it speaks for, its merge into an object, and the removal of what it gave up. */

type MutableSet = Record<string, FieldSet>;

/** The fields that a configuration sets: leaves, items of lists and maps, and empty objects. */
export function fieldsOf(configuration: unknown, schema: Schema): FieldSet {
  return fieldsOfChildren(configuration, schema);
}

function fieldsOfChildren(value: unknown, schema: Schema | undefined): MutableSet {
  const set: MutableSet = {};
  if (Array.isArray(value)) {
    const items = itemSchema(schema);
    for (const [element, values] of itemsByElement(value, schema)) {
      const children = shapeOf(values[0], items) === 'leaf' ? {} : fieldsOfChildren(values[0], items);
      set[element] = memberWith(children);
    }
    return set;
  }
  for (const key in value as Dictionary) {
    const field = (value as Dictionary)[key];
    if (field === undefined) continue;
    const fieldSchema = childSchema(schema, key);
    if (shapeOf(field, fieldSchema) === 'leaf') {
      set[`f:${key}`] = leaf;
      continue;
    }
    const children = fieldsOfChildren(field, fieldSchema);
    const isStructField = schema?.fields?.().has(key) === true;
    const isEmptyObject = isDictionary(field) && Object.keys(field).length === 0;
    if (!isStructField || isEmptyObject) set[`f:${key}`] = memberWith(children);
    else if (Object.keys(children).length > 0) set[`f:${key}`] = children;
  }
  return set;
}

function memberWith(children: MutableSet): FieldSet {
  return Object.keys(children).length === 0 ? leaf : { '.': leaf, ...children };
}

/** The configuration laid over the object; parts that do not change are shared with it. */
export function mergeConfiguration(live: unknown, configuration: unknown, schema: Schema | undefined): unknown {
  const shape = shapeOf(configuration, schema);
  if (shape === 'leaf' || shapeOf(live, schema) !== shape || Array.isArray(live) !== Array.isArray(configuration))
    return configuration;
  if (shape === 'items') return mergeItems(live as unknown[], configuration as unknown[], schema);
  const result: Dictionary = { ...(live as Dictionary) };
  for (const key of Object.keys(configuration as Dictionary)) {
    const value = (configuration as Dictionary)[key];
    if (value === undefined) continue;
    const current = Object.hasOwn(result, key) ? result[key] : undefined;
    setKey(result, key, mergeConfiguration(current, value, childSchema(schema, key)));
  }
  return result;
}

/** Items that only the object has keep their places among those of the configuration, whose order rules. */
function mergeItems(
  live: readonly unknown[],
  configuration: readonly unknown[],
  schema: Schema | undefined,
): unknown[] {
  const items = itemSchema(schema);
  const liveElements = live.map((item, index) => elementOf(item, schema) ?? `i:${index}`);
  const wanted = itemsByElement(configuration, schema);
  const elements = [...wanted.keys()];
  const existing = itemsByElement(live, schema);
  const shared = elements.filter((element) => existing.has(element));
  const taken = new Set<string>();
  const result: unknown[] = [];
  const take = (element: string) => {
    taken.add(element);
    result.push(mergeConfiguration(existing.get(element)?.[0], (wanted.get(element) as unknown[])[0], items));
    if (shared[0] === element) shared.shift();
  };
  let left = 0;
  let right = 0;
  while (left < live.length || right < elements.length) {
    const mine = liveElements[left];
    const theirs = elements[right];
    if (mine !== undefined && theirs !== undefined) {
      if (mine === theirs) {
        take(mine);
        left++;
        right++;
        continue;
      }
      if (wanted.has(mine) && shared[0] !== undefined && shared[0] !== mine) {
        left++;
        continue;
      }
    }
    if (mine !== undefined) {
      if (!wanted.has(mine)) {
        result.push(live[left++]);
        continue;
      }
      if (taken.has(mine)) left++;
    }
    if (theirs !== undefined) {
      if (!taken.has(theirs)) take(theirs);
      right++;
    }
  }
  return result;
}

/**
 * The value without the members of `set`, and without objects and lists that this leaves empty (`undefined`), unless they
 * are members of `claimed` themselves.
 */
export function removeFields(
  value: unknown,
  set: FieldSet,
  schema: Schema | undefined,
  claimed: FieldSet = emptySet,
  isClaimed = false,
): unknown {
  const shape = shapeOf(value, schema);
  if (shape === 'leaf') return value;
  const rest = (item: unknown, element: string, itemsSchema: Schema | undefined) => {
    const below = step(set, element);
    if (!below) return item;
    if (below.member) return undefined;
    const claim = step(claimed, element);
    return removeFields(item, below.node, itemsSchema, claim?.node, claim?.member);
  };
  if (shape === 'items') {
    const items = itemSchema(schema);
    const list = value as readonly unknown[];
    const kept = list
      .map((item, index) => rest(item, elementOf(item, schema) ?? `i:${index}`, items))
      .filter((item) => item !== undefined);
    if (kept.length === list.length && kept.every((item, index) => item === list[index])) return value;
    return kept.length > 0 || isClaimed ? kept : undefined;
  }
  const object = value as Dictionary;
  const result: Dictionary = {};
  let changed = false;
  let size = 0;
  for (const key of Object.keys(object)) {
    const field = rest(object[key], `f:${key}`, childSchema(schema, key));
    if (field !== object[key]) changed = true;
    if (field === undefined) continue;
    setKey(result, key, field);
    size++;
  }
  if (!changed) return value;
  return size > 0 || isClaimed ? result : undefined;
}
