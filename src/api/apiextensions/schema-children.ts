import type { JSONSchemaProps } from '../types/apiextensions.v1.gen.ts';

/** The three places of a JSON schema that may hold a schema or something else. */

export function itemsSchema(schema: JSONSchemaProps): JSONSchemaProps | undefined {
  return asSchema(schema.items);
}

/** `items` as a list of schemas, which CRDs do not support. */
export function hasTupleItems(schema: JSONSchemaProps): boolean {
  return Array.isArray(schema.items);
}

export function additionalPropertiesSchema(schema: JSONSchemaProps): JSONSchemaProps | undefined {
  return asSchema(schema.additionalProperties);
}

export function properties(schema: JSONSchemaProps): readonly (readonly [name: string, schema: JSONSchemaProps])[] {
  return Object.entries(schema.properties ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function property(schema: JSONSchemaProps, name: string): JSONSchemaProps | undefined {
  return schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
}

function asSchema(value: unknown): JSONSchemaProps | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JSONSchemaProps) : undefined;
}
