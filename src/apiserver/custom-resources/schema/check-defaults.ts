import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { FieldError, type FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import { draft } from '../../../apimachinery/json.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import { applyDefaults, findUnknownFields } from '../../../apimachinery/typecheck.ts';
import { ValueValidator } from '../validation/value-validator.ts';
import { additionalPropertiesSchema, itemsSchema } from './schema-parts.ts';
import { valueSchema } from './structural-schema.ts';

/** Defaults that would not be valid values of their fields. */
export function checkDefaults(path: FieldPath, props: JSONSchemaProps): FieldError[] {
  const errors: FieldError[] = [];
  visit(path, props, valueSchema(props), new ValueValidator(props), errors);
  return errors;
}

/** `schema` and `validator` are those of `props`: each is made once, however many defaults there are above it. */
function visit(
  path: FieldPath,
  props: JSONSchemaProps,
  schema: Schema,
  validator: ValueValidator,
  errors: FieldError[],
): void {
  if (props.default !== undefined) errors.push(...checkDefault(path.child('default'), props, schema, validator));
  const descend = (to: FieldPath, child: JSONSchemaProps, below: Schema | undefined, by: ValueValidator | undefined) =>
    visit(to, child, below ?? valueSchema(child), by ?? new ValueValidator(child), errors);
  const fields = schema.fields?.();
  for (const [name, field] of Object.entries(props.properties ?? {}))
    descend(path.child('properties').key(name), field, fields?.get(name)?.schema, validator.field(name));
  const values = additionalPropertiesSchema(props);
  if (values)
    descend(
      path.child('additionalProperties'),
      values,
      schema.type === 'map' ? schema.items?.() : undefined,
      validator.values,
    );
  const items = itemsSchema(props);
  if (items)
    descend(path.child('items'), items, schema.type === 'list' ? schema.items?.() : undefined, validator.items);
}

function checkDefault(
  path: FieldPath,
  props: JSONSchemaProps,
  schema: Schema,
  validator: ValueValidator,
): FieldError[] {
  const value = draft<unknown>(props.default) as unknown;
  if (typeof value === 'object' && value !== null) {
    if (findUnknownFields(value, schema).length)
      return [invalidValue(path, props.default, 'must not have unknown fields')];
    applyDefaults(value, schema);
  }
  return validator.validate(value).map(({ type, field, body }) => new FieldError(type, below(path, field), body));
}

function below(path: FieldPath, field: string): string {
  if (field === '' || field === '<nil>') return String(path);
  return field.startsWith('[') ? `${path}${field}` : `${path}.${field}`;
}
