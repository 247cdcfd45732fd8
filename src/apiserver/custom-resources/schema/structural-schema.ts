import { schemaOf } from '../../../api/schema.ts';
import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import type { FieldSchema, JSONSchemaConstraints, Schema } from '../../../apimachinery/schema.ts';
import { additionalPropertiesSchema, itemsSchema } from './schema-parts.ts';

const anything: Schema = { type: 'any', preserveUnknownFields: true };
const text: Schema = { type: 'string' };

/** The schema of a custom resource: what its structural schema says, and the metadata that every object has. */
export function structuralSchema(
  props: JSONSchemaProps | undefined,
  gvk: { readonly group: string; readonly version: string; readonly kind: string },
): Schema {
  return { ...convert(props ?? { 'x-kubernetes-preserve-unknown-fields': true }, true), type: 'object', gvk };
}

/** The schema of a value inside of a custom resource. */
export function valueSchema(props: JSONSchemaProps): Schema {
  return convert(props, false);
}

function convert(props: JSONSchemaProps, isObject: boolean): Schema {
  const preserves = props['x-kubernetes-preserve-unknown-fields'] === true;
  const common: Omit<Schema, 'type'> = {
    constraints: props as unknown as JSONSchemaConstraints,
    ...(props.nullable ? { nullable: true } : {}),
    ...(preserves ? { preserveUnknownFields: true } : {}),
  };
  if (props['x-kubernetes-int-or-string']) return { type: 'intOrString', ...common };
  switch (props.type) {
    case 'array':
      return listSchema(props, common);
    case 'string':
      return { type: 'string', ...common };
    case 'integer':
      return { type: 'integer', ...common };
    case 'number':
      return { type: 'double', ...common };
    case 'boolean':
      return { type: 'boolean', ...common };
    default:
      return props.type === 'object' || props.properties || isObject
        ? objectSchema(props, common, isObject || props['x-kubernetes-embedded-resource'] === true)
        : { type: 'any', ...common };
  }
}

function listSchema(props: JSONSchemaProps, common: Omit<Schema, 'type'>): Schema {
  const listType = props['x-kubernetes-list-type'] as Schema['listType'];
  const listMapKeys = props['x-kubernetes-list-map-keys'];
  const items = once(() => {
    const schema = itemsSchema(props);
    return schema ? convert(schema, false) : anything;
  });
  return { type: 'list', ...common, items, ...(listType ? { listType } : {}), ...(listMapKeys ? { listMapKeys } : {}) };
}

function objectSchema(props: JSONSchemaProps, common: Omit<Schema, 'type'>, isObject: boolean): Schema {
  const mapType = props['x-kubernetes-map-type'] as Schema['mapType'];
  const shared = {
    ...common,
    ...(mapType ? { mapType } : {}),
    ...(props['x-kubernetes-embedded-resource'] ? { embeddedResource: true } : {}),
  };
  const { additionalProperties } = props;
  if (additionalProperties !== undefined && additionalProperties !== false && !isObject) {
    const values = additionalPropertiesSchema(props);
    return { type: 'map', ...shared, items: once(() => (values ? convert(values, false) : anything)) };
  }
  return { type: 'object', ...shared, fields: once(() => fieldsOf(props, isObject)) };
}

function fieldsOf(props: JSONSchemaProps, isObject: boolean): ReadonlyMap<string, FieldSchema> {
  const fields = new Map<string, FieldSchema>();
  const required = new Set(props.required);
  for (const [name, schema] of Object.entries(props.properties ?? {}))
    fields.set(name, {
      schema: convert(schema, false),
      ...(required.has(name) ? { required: true } : {}),
      ...(schema.default === undefined ? {} : { default: schema.default }),
    });
  if (!isObject) return fields;
  const meta = (name: string, schema: Schema) =>
    fields.set(name, { schema: { ...fields.get(name)?.schema, ...schema } });
  if (!fields.has('apiVersion')) meta('apiVersion', text);
  if (!fields.has('kind')) meta('kind', text);
  meta('metadata', schemaOf('meta.v1.ObjectMeta'));
  return fields;
}

function once<T>(make: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= make();
    return value;
  };
}
