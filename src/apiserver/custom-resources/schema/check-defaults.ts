import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { FieldError, type FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import { draft } from '../../../apimachinery/json.ts';
import { applyDefaults, findUnknownFields } from '../../../apimachinery/typecheck.ts';
import { ValueValidator } from '../validation/value-validator.ts';
import { additionalPropertiesSchema, itemsSchema } from './schema-parts.ts';
import { valueSchema } from './structural-schema.ts';

/** Defaults that would not be valid values of their fields. */
export function checkDefaults(path: FieldPath, props: JSONSchemaProps): FieldError[] {
  const errors: FieldError[] = [];
  if (props.default !== undefined) errors.push(...checkDefault(path.child('default'), props));
  for (const [name, field] of Object.entries(props.properties ?? {}))
    errors.push(...checkDefaults(path.child('properties').key(name), field));
  const values = additionalPropertiesSchema(props);
  if (values) errors.push(...checkDefaults(path.child('additionalProperties'), values));
  const items = itemsSchema(props);
  if (items) errors.push(...checkDefaults(path.child('items'), items));
  return errors;
}

function checkDefault(path: FieldPath, props: JSONSchemaProps): FieldError[] {
  const schema = valueSchema(props);
  const value = draft<unknown>(props.default) as unknown;
  if (typeof value === 'object' && value !== null) {
    if (findUnknownFields(value, schema).length)
      return [invalidValue(path, props.default, 'must not have unknown fields')];
    applyDefaults(value, schema);
  }
  return new ValueValidator(props)
    .validate(value)
    .map(({ type, field, body }) => new FieldError(type, below(path, field), body));
}

function below(path: FieldPath, field: string): string {
  if (field === '' || field === '<nil>') return String(path);
  return field.startsWith('[') ? `${path}${field}` : `${path}.${field}`;
}
