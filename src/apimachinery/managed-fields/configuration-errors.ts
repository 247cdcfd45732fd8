import type { Schema } from '../schema.ts';
import { type Dictionary, isDictionary } from '../schema-walk.ts';
import { childSchema, elementOf, itemSchema, shapeOf } from './shape.ts';

/**
 * What makes a configuration unusable, in the words of Kubernetes' typed values: wrong types, fields that do not exist,
 * items without their keys, items that occur twice.
 */
export function configurationErrors(configuration: unknown, schema: Schema): string[] {
  const errors: string[] = [];
  visit(configuration, schema, '', errors);
  return errors;
}

function visit(value: unknown, schema: Schema | undefined, path: string, errors: string[]): void {
  if (schema === undefined || value === null || value === undefined) return;
  const mismatch = typeError(value, schema);
  if (mismatch) {
    errors.push(`${path || '.'}: ${mismatch}`);
    return;
  }
  if (Array.isArray(value)) visitItems(value, schema, path, errors);
  else if (isDictionary(value)) visitFields(value, schema, path, errors);
}

function visitFields(object: Dictionary, schema: Schema, path: string, errors: string[]): void {
  const fields = schema.fields?.();
  const closed =
    schema.type === 'object' && fields && fields.size > 0 && !schema.items && !schema.preserveUnknownFields;
  for (const key of Object.keys(object)) {
    const child = childSchema(schema, key);
    if (child) visit(object[key], child, `${path}.${key}`, errors);
    else if (closed) errors.push(`${path}.${key}: field not declared in schema`);
  }
}

function visitItems(list: readonly unknown[], schema: Schema, path: string, errors: string[]): void {
  const items = itemSchema(schema);
  if (shapeOf(list, schema) !== 'items') {
    for (const [index, item] of list.entries()) visit(item, items, `${path}[${index}]`, errors);
    return;
  }
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    const unusable = itemError(item, schema);
    if (unusable) {
      errors.push(`${path}: element ${index}: ${unusable}`);
      return;
    }
    const element = elementOf(item, schema)!;
    const shown = showKey(element);
    if (seen.has(element)) errors.push(`${path}: duplicate entries for key ${shown}`);
    seen.add(element);
    visit(item, items, `${path}${shown}`, errors);
  }
}

/** Why an item of a set or a map list has no place in it. */
function itemError(item: unknown, list: Schema): string | undefined {
  if (list.listType === 'set') {
    if (item === null) return "associative list without keys has an element that's an explicit null";
    if (Array.isArray(item)) return 'not supported: associative list with lists as elements';
    return isDictionary(item) ? "associative list without keys has an element that's a map type" : undefined;
  }
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isDictionary(item)) return 'associative list with keys may not have non-map elements';
  if (elementOf(item, list) !== undefined) return undefined;
  const keys = (list.listMapKeys ?? []).map((key) => JSON.stringify(key)).join(' ');
  return `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
}

function typeError(value: unknown, schema: Schema): string | undefined {
  switch (schema.type) {
    case 'object':
    case 'map':
      return isDictionary(value) ? undefined : `expected map, got &{${goText(value)}}`;
    case 'list':
      return Array.isArray(value) ? undefined : `expected list, got &{${goText(value)}}`;
    case 'string':
    case 'bytes':
      return typeof value === 'string'
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${goText(value)}}`;
    case 'int32':
    case 'int64':
    case 'integer':
    case 'double':
      return typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goType(value)}`;
    case 'time':
    case 'microTime':
    case 'quantity':
    case 'intOrString':
      return typeof value === 'object' ? `expected any scalar, got &{${goText(value)}}` : undefined;
    case 'rawObject':
    case 'any':
      return undefined;
  }
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (isDictionary(value)) return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'float64' : typeof value;
}

/** As Go prints a value. */
function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isDictionary(value)) return String(value);
  const entries = Object.keys(value).sort();
  return `map[${entries.map((key) => `${key}:${goText(value[key])}`).join(' ')}]`;
}

/** As it would be written in Go. */
function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (!isDictionary(value)) return JSON.stringify(value);
  const entries = Object.keys(value).sort();
  return `map[string]interface {}{${entries.map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`).join(', ')}}`;
}

function showKey(element: string): string {
  if (!element.startsWith('k:')) return `[=${element.slice(2)}]`;
  const key = JSON.parse(element.slice(2)) as Dictionary;
  return `[${Object.keys(key)
    .map((name) => `${name}=${JSON.stringify(key[name])}`)
    .join(',')}]`;
}
