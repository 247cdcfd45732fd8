import { Duration } from '@marcbachmann/cel-js/evaluator';
import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { additionalPropertiesSchema, itemsSchema } from '../custom-resources/schema/schema-parts.ts';
import { durationText, parseDuration } from './library/durations.ts';
import { timestampText } from './library/formatting.ts';
import { escapeName } from './names.ts';

/** JSON data as CEL sees it: objects are Maps, whole numbers ints, and strings of some formats times and durations. */
export function jsonToCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonToCel);
  const result = new Map<string, unknown>();
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key];
    if (field !== undefined) result.set(key, jsonToCel(field));
  }
  return result;
}

/** The same by a structural schema, whose fields go by their escaped names. */
export function typedToCel(value: unknown, props: JSONSchemaProps): unknown {
  if (value === null || value === undefined) return null;
  if (props['x-kubernetes-int-or-string']) return jsonToCel(value);
  switch (props.type) {
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
    case 'number':
      return value;
    case 'string':
      return typeof value === 'string' ? formatted(value, props.format) : value;
    case 'array': {
      const items = itemsSchema(props);
      return Array.isArray(value) ? value.map((item) => (items ? typedToCel(item, items) : jsonToCel(item))) : value;
    }
    default:
      return typeof value === 'object' && !Array.isArray(value)
        ? objectToCel(value as Record<string, unknown>, props)
        : jsonToCel(value);
  }
}

function objectToCel(object: Readonly<Record<string, unknown>>, props: JSONSchemaProps): Map<string, unknown> {
  const values = additionalPropertiesSchema(props);
  const result = new Map<string, unknown>();
  for (const key of Object.keys(object)) {
    const field = object[key];
    if (field === undefined) continue;
    const known = props.properties && Object.hasOwn(props.properties, key) ? props.properties[key] : undefined;
    if (known) result.set(escapeName(key) ?? key, typedToCel(field, known));
    else result.set(key, values ? typedToCel(field, values) : jsonToCel(field));
  }
  return result;
}

function formatted(text: string, format: string | undefined): unknown {
  switch (format) {
    case 'date':
    case 'date-time':
    case 'datetime': {
      const time = new Date(text);
      return Number.isNaN(time.getTime()) ? text : time;
    }
    case 'duration':
      return parseDuration(text) ?? text;
    case 'byte':
      return Buffer.from(text, 'base64');
    default:
      return text;
  }
}

/** Plain JSON of what an expression came to. */
export function celToJson(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return Number(value);
    case 'object':
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(celToJson);
  if (value instanceof Date) return timestampText(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), celToJson(item)]));
  if (value instanceof Duration) return durationText(value);
  if (value instanceof Quantity) return String(value);
  if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, celToJson(item)]));
  return String(value);
}
