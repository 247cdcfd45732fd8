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
  /** The most items that there can be. */
  readonly size?: number;
}

export const dyn: StaticType = { kind: 'dyn' };
export const scalar = (kind: StaticType['kind']): StaticType => ({ kind });

/** No object is larger than a request may be. */
const MAX_BYTES = 3 * 1024 * 1024;

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
      return scalar('int');
    case 'number':
      return scalar('double');
    case 'boolean':
      return scalar('bool');
    case 'string':
      return scalar(formats[props.format ?? ''] ?? 'string');
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
          size: props.maxProperties ?? mostOf(leastBytes(values) + 3),
        };
      if (props['x-kubernetes-preserve-unknown-fields'] || props['x-kubernetes-embedded-resource']) return dyn;
      const fields = new Map(Object.entries(props.properties ?? {}).map(([name, field]) => [escapeName(name), field]));
      return {
        kind: 'object',
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

/** How short the JSON of a value can be. */
function leastBytes(props: JSONSchemaProps): number {
  if (props.enum?.length) return Math.min(...props.enum.map((value) => JSON.stringify(value).length));
  switch (props.type) {
    case 'string':
      return 2 + (props.minLength ?? 0);
    case 'boolean':
      return 4;
    case 'array':
      return 2;
    case 'object':
      return (
        2 +
        (props.required ?? []).reduce(
          (sum, name) => sum + name.length + 4 + (props.properties?.[name] ? leastBytes(props.properties[name]) : 1),
          0,
        )
      );
    default:
      return 1;
  }
}
