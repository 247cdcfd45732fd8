import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';

/** Places of a JSON schema that hold a schema or something else. */

export function itemsSchema(props: JSONSchemaProps): JSONSchemaProps | undefined {
  return asSchema(props.items);
}

export function additionalPropertiesSchema(props: JSONSchemaProps): JSONSchemaProps | undefined {
  return asSchema(props.additionalProperties);
}

function asSchema(value: unknown): JSONSchemaProps | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JSONSchemaProps) : undefined;
}
