import { deepEqual } from '../deep-equal.ts';
import type { Schema } from '../schema.ts';
import type { Dictionary } from '../schema-walk.ts';
import { emptySet, type FieldSet, leaf } from './field-set.ts';
import { childSchema, existsAlways, itemSchema, itemsByElement, shapeOf } from './shape.ts';

/** What changed between two objects. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

export const noChange: Comparison = { added: emptySet, modified: emptySet, removed: emptySet };

interface Changes {
  added?: FieldSet;
  modified?: FieldSet;
  removed?: FieldSet;
}

type MutableSet = Record<string, FieldSet>;

export function compare(old: unknown, current: unknown, schema: Schema): Comparison {
  const changes = compareValues(old, current, schema);
  if (!changes) return noChange;
  return {
    added: changes.added ?? emptySet,
    modified: changes.modified ?? emptySet,
    removed: changes.removed ?? emptySet,
  };
}

function compareValues(old: unknown, current: unknown, schema: Schema | undefined): Changes | undefined {
  if (old === current) return undefined;
  const shape = shapeOf(current, schema);
  if (shape !== shapeOf(old, schema) || Array.isArray(old) !== Array.isArray(current)) return { modified: leaf };
  if (shape === 'leaf') return deepEqual(old, current) ? undefined : { modified: leaf };
  return shape === 'fields'
    ? compareFields(old as Dictionary, current as Dictionary, schema)
    : compareItems(old as unknown[], current as unknown[], schema);
}

function compareFields(old: Dictionary, current: Dictionary, schema: Schema | undefined): Changes | undefined {
  const collector = new Collector();
  for (const key in current) {
    const value = current[key];
    if (value === undefined) continue;
    const before = Object.hasOwn(old, key) ? old[key] : undefined;
    if (before === value) continue;
    if (before === undefined) collector.add('added', `f:${key}`, presenceOfField(value, schema, key, true));
    else collector.addAll(`f:${key}`, compareValues(before, value, childSchema(schema, key)));
  }
  for (const key in old) {
    if (old[key] === undefined || (Object.hasOwn(current, key) && current[key] !== undefined)) continue;
    collector.add('removed', `f:${key}`, presenceOfField(old[key], schema, key, true));
  }
  return collector.changes();
}

function compareItems(
  old: readonly unknown[],
  current: readonly unknown[],
  schema: Schema | undefined,
): Changes | undefined {
  if (deepEqual(old, current)) return undefined;
  const collector = new Collector();
  const before = itemsByElement(old, schema);
  const after = itemsByElement(current, schema);
  const items = itemSchema(schema);
  for (const [element, values] of after) {
    const others = before.get(element);
    if (!others) collector.add('added', element, presence(values[0], items, false));
    else if (values.length === 1 && others.length === 1)
      collector.addAll(element, compareValues(others[0], values[0], items));
    else if (!deepEqual(others, values)) collector.add('modified', element, leaf);
  }
  for (const [element, values] of before)
    if (!after.has(element)) collector.add('removed', element, presence(values[0], items, false));
  return collector.changes();
}

class Collector {
  #added: MutableSet | undefined;
  #modified: MutableSet | undefined;
  #removed: MutableSet | undefined;

  add(kind: keyof Changes, element: string, node: FieldSet | undefined): void {
    if (!node) return;
    if (kind === 'added') {
      this.#added ??= {};
      this.#added[element] = node;
    } else if (kind === 'modified') {
      this.#modified ??= {};
      this.#modified[element] = node;
    } else {
      this.#removed ??= {};
      this.#removed[element] = node;
    }
  }

  addAll(element: string, changes: Changes | undefined): void {
    if (!changes) return;
    this.add('added', element, changes.added);
    this.add('modified', element, changes.modified);
    this.add('removed', element, changes.removed);
  }

  changes(): Changes | undefined {
    if (!this.#added && !this.#modified && !this.#removed) return undefined;
    const changes: Changes = {};
    if (this.#added) changes.added = this.#added;
    if (this.#modified) changes.modified = this.#modified;
    if (this.#removed) changes.removed = this.#removed;
    return changes;
  }
}

/** `parentExists`: the object that holds the field is on both sides, so that its embedded structs are too. */
function presenceOfField(
  value: unknown,
  parent: Schema | undefined,
  key: string,
  parentExists: boolean,
): FieldSet | undefined {
  const field = parent?.fields?.().get(key);
  return presence(value, field?.schema ?? parent?.items?.(), parentExists && existsAlways(parent, key, field));
}

/** Everything that comes (or goes) with a value: each of its fields, and the lists and objects that hold them. */
function presence(value: unknown, schema: Schema | undefined, exists: boolean): FieldSet | undefined {
  const shape = shapeOf(value, schema);
  if (shape === 'leaf') return leaf;
  const node: MutableSet = exists ? {} : { '.': leaf };
  let children = 0;
  if (shape === 'fields') {
    for (const key in value as Dictionary) {
      const field = (value as Dictionary)[key];
      if (field === undefined) continue;
      const child = presenceOfField(field, schema, key, exists);
      if (!child) continue;
      node[`f:${key}`] = child;
      children++;
    }
  } else {
    const items = itemSchema(schema);
    for (const [element, values] of itemsByElement(value as unknown[], schema)) {
      node[element] = presence(values[0], items, false) ?? leaf;
      children++;
    }
  }
  if (children > 0) return node;
  return exists ? undefined : leaf;
}
