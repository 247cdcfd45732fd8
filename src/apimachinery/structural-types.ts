import { type FieldError, FieldPath, typeInvalid } from './field.ts';
import type { Schema } from './schema.ts';
import { isDictionary } from './schema-walk.ts';

/** Wrong JSON types of a custom resource, worded as its schema validation words them. */
export function checkStructuralTypes(object: unknown, schema: Schema, path: FieldPath = FieldPath.root): FieldError[] {
  const errors: FieldError[] = [];
  visitStructural(object, schema, path, errors);
  return errors;
}

function visitStructural(value: unknown, schema: Schema, path: FieldPath, errors: FieldError[]): void {
  if (value === undefined || (value === null && schema.nullable)) return;
  const seen = structuralType(value);
  const wanted = wantedStructuralType(schema);
  if (wanted && !(seen === wanted || (wanted === 'number' && seen === 'integer'))) {
    if (schema.type === 'intOrString' && (seen === 'integer' || seen === 'string')) return;
    errors.push(typeInvalid(path, seen, `${path} in body must be of type ${wanted}: ${JSON.stringify(seen)}`));
    return;
  }
  if (Array.isArray(value)) {
    const items = schema.items?.();
    if (items) for (const [index, item] of value.entries()) visitStructural(item, items, path.index(index), errors);
  } else if (isDictionary(value)) {
    const fields = schema.fields?.();
    const items = schema.items?.();
    for (const key of Object.keys(value)) {
      const field = fields?.get(key)?.schema;
      if (field) visitStructural(value[key], field, path.child(key), errors);
      else if (items) visitStructural(value[key], items, path.child(key), errors);
    }
  }
}

function structuralType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

function wantedStructuralType(schema: Schema): string | undefined {
  switch (schema.type) {
    case 'object':
    case 'map':
    case 'rawObject':
      return 'object';
    case 'list':
      return 'array';
    case 'int32':
    case 'int64':
    case 'integer':
      return 'integer';
    case 'double':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'intOrString':
      return 'integer';
    case 'any':
      return undefined;
    default:
      return 'string';
  }
}
