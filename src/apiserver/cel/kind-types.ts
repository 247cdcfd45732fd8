import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import type { Schema } from '../../apimachinery/schema.ts';
import { dyn, type StaticType, scalar, typeOfSchema } from './schema-types.ts';

/** The type of an object of a kind, whose fields go by their own names. */
export function typeOfKind(schema: Schema): StaticType {
  switch (schema.type) {
    case 'object': {
      const { fields } = schema;
      if (!fields || schema.preserveUnknownFields || schema.embeddedResource) return dyn;
      return {
        kind: 'object',
        field: (name) => {
          const field = fields().get(name);
          return field && typeOfKind(field.schema);
        },
      };
    }
    case 'list':
    case 'map': {
      const { items } = schema;
      return { kind: schema.type, item: () => (items ? typeOfKind(items()) : dyn) };
    }
    case 'int32':
    case 'int64':
    case 'integer':
      return scalar('int');
    case 'double':
      return scalar('double');
    case 'boolean':
      return scalar('bool');
    case 'string':
    case 'time':
    case 'microTime':
    case 'bytes':
      return scalar('string');
    default:
      return schema.constraints && schema.type !== 'intOrString'
        ? typeOfSchema(schema.constraints as JSONSchemaProps)
        : dyn;
  }
}
