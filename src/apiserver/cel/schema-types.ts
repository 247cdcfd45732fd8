import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { additionalPropertiesSchema, itemsSchema } from '../custom-resources/schema/schema-parts.ts';
import { escapeName } from './names.ts';

/** What is known of a value when an expression is compiled. */
export interface StaticType {
  /** `dyn` when nothing is known. */
  readonly kind:
    | 'int'
    | 'double'
    | 'string'
    | 'bool'
    | 'bytes'
    | 'null'
    | 'timestamp'
    | 'duration'
    | 'list'
    | 'map'
    | 'object'
    | 'dyn';
  /** `object`: its fields, by escaped name; absent when they are not known. */
  readonly field?: (name: string) => StaticType | undefined;
  /** Of a list's items or a map's values. */
  readonly item?: () => StaticType;
  /** The most items, or bytes of a string, that there can be; 0 for scalars of a schema, as upstream counts them. */
  readonly size?: number;
}

export const dyn: StaticType = { kind: 'dyn' };
export const scalar = (kind: StaticType['kind']): StaticType => ({ kind });

/** No object is larger than a request may be. */
export const MAX_BYTES = 3 * 1024 * 1024;

const formats: Readonly<Record<string, StaticType['kind']>> = {
  date: 'timestamp',
  'date-time': 'timestamp',
  datetime: 'timestamp',
  duration: 'duration',
  byte: 'bytes',
};

/** The type of what a structural schema describes. */
export function typeOfSchema(props: JSONSchemaProps): StaticType {
  if (props['x-kubernetes-int-or-string']) return dyn;
  switch (props.type) {
    case 'integer':
      return { kind: 'int', size: 0 };
    case 'number':
      return { kind: 'double', size: 0 };
    case 'boolean':
      return { kind: 'bool', size: 0 };
    case 'string': {
      const kind = formats[props.format ?? ''] ?? 'string';
      return kind === 'string' || kind === 'bytes' ? { kind, size: mostBytes(props) } : scalar(kind);
    }
    case 'array': {
      const items = itemsSchema(props);
      return {
        kind: 'list',
        item: () => (items ? typeOfSchema(items) : dyn),
        size: props.maxItems ?? mostOf(items ? leastBytes(items) : 1),
      };
    }
    case 'object': {
      const values = additionalPropertiesSchema(props);
      if (values)
        return {
          kind: 'map',
          item: () => typeOfSchema(values),
          // A key of one letter in quotes, a colon and a comma.
          size: props.maxProperties ?? mostOf(leastBytes(values) + 5),
        };
      if (props['x-kubernetes-preserve-unknown-fields'] || props['x-kubernetes-embedded-resource']) return dyn;
      const fields = new Map(Object.entries(props.properties ?? {}).map(([name, field]) => [escapeName(name), field]));
      return {
        kind: 'object',
        size: 0,
        field: (name) => {
          const field = fields.get(name);
          return field && typeOfSchema(field);
        },
      };
    }
    default:
      return dyn;
  }
}

function mostOf(bytes: number): number {
  return Math.floor((MAX_BYTES - 2) / (bytes + 1));
}

/** How long a string can be; a character takes up to four bytes. */
function mostBytes({ enum: values, maxLength, format }: JSONSchemaProps): number {
  if (values?.length) return Math.max(...values.map((value) => String(value).length));
  if (maxLength === undefined) return MAX_BYTES - 2;
  return Math.max(0, maxLength) * (format === 'byte' ? 1 : 4);
}

const leastBytesOfFormats: Readonly<Record<string, number>> = {
  date: 12,
  'date-time': 21,
  datetime: 21,
  duration: 3,
};

/** How short the JSON of a value can be, as upstream estimates it. */
export function leastBytes(props: JSONSchemaProps): number {
  switch (props.type) {
    case 'string':
      return leastBytesOfFormats[props.format ?? ''] ?? 2;
    case 'boolean':
      return 4;
    case 'array':
      return 2;
    case 'object':
      return (props.required ?? []).reduce((sum, name) => {
        const field = props.properties?.[name];
        return field && field.default === undefined ? sum + name.length + 4 + leastBytes(field) : sum;
      }, 2);
    default:
      return 1;
  }
}
