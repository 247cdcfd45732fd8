import { Quantity } from './quantity.ts';
import type { Schema } from './schema.ts';
import { isDictionary } from './schema-walk.ts';

export { canonicalize } from './canonical-form.ts';
export { applyDefaults } from './defaults.ts';
export { requiredFields } from './required-fields.ts';
export { checkStructuralTypes } from './structural-types.ts';
export { dropUnknownFields, findUnknownFields } from './unknown-fields.ts';

/**
 * A value of the wrong JSON type: the path of the field, the message of Go's decoder, and that of the converter which
 * makes an object of the map that a strategic merge patch leaves.
 */
export interface TypeMismatch {
  readonly field: string;
  readonly message: string;
  readonly conversion: string;
}

/**
 * Wrong JSON types of a built-in kind, worded as Kubernetes' decoder words them, in document order. A request is refused
 * with the first. `null` is any type's absence.
 */
export function checkTypes(object: unknown, schema: Schema): TypeMismatch[] {
  const found: TypeMismatch[] = [];
  visitTypes(object, schema, undefined, '', found);
  return found;
}

function visitTypes(
  value: unknown,
  schema: Schema,
  struct: string | undefined,
  path: string,
  found: TypeMismatch[],
): void {
  if (value === null || value === undefined) return;
  if (schema.type === 'object' && isDictionary(value)) {
    const fields = schema.fields?.();
    if (!fields) return;
    const name = shortName(schema) ?? struct;
    for (const key of Object.keys(value)) {
      const field = fields.get(key);
      if (field) visitTypes(value[key], field.schema, name, path === '' ? key : `${path}.${key}`, found);
    }
  } else if (schema.type === 'map' && isDictionary(value)) {
    const items = schema.items?.();
    if (items) for (const key of Object.keys(value)) visitTypes(value[key], items, struct, path, found);
  } else if (schema.type === 'list' && Array.isArray(value)) {
    const items = schema.items?.();
    if (items) for (const item of value) visitTypes(item, items, struct, path, found);
  } else {
    const problem = scalarProblem(value, schema);
    if (!problem) return;
    const place = struct === undefined ? 'value' : `struct field ${struct}.${path}`;
    found.push({
      field: path,
      message: problem.message ?? `json: cannot unmarshal ${problem.seen} into Go ${place} of type ${goType(schema)}`,
      conversion: problem.message ?? conversionProblem(value, schema),
    });
  }
}

/** `seen`: of a type that the decoder itself refuses. `message`: the words of the type's own decoder. */
function scalarProblem(value: unknown, schema: Schema): { seen?: string; message?: string } | undefined {
  const seen = goValue(value);
  switch (schema.type) {
    case 'object':
    case 'map':
    case 'list':
      return { seen };
    case 'string':
      return typeof value === 'string' ? undefined : { seen };
    case 'boolean':
      return typeof value === 'boolean' ? undefined : { seen };
    case 'int32':
    case 'int64':
    case 'integer':
      if (typeof value !== 'number') return { seen };
      return isInteger(value, schema.type === 'int32' ? 32 : 64) ? undefined : { seen: `number ${value}` };
    case 'double':
      return typeof value === 'number' ? undefined : { seen };
    case 'bytes': {
      if (typeof value !== 'string') return { seen };
      const wrong = illegalBase64(value);
      return wrong === undefined ? undefined : { message: `illegal base64 data at input byte ${wrong}` };
    }
    case 'time':
    case 'microTime': {
      if (typeof value !== 'string') return { message: `json: cannot unmarshal ${seen} into Go value of type string` };
      const message = timeError(value, schema.type === 'microTime');
      return message === undefined ? undefined : { message };
    }
    case 'quantity': {
      const message = quantityError(typeof value === 'string' ? value.trim() : JSON.stringify(value));
      return message === undefined ? undefined : { message };
    }
    case 'intOrString': {
      if (typeof value === 'string' || (typeof value === 'number' && isInteger(value, 32))) return undefined;
      const shown = typeof value === 'number' ? `number ${value}` : seen;
      return { message: `json: cannot unmarshal ${shown} into Go value of type int32` };
    }
    case 'rawObject':
    case 'any':
      return undefined;
  }
}

function conversionProblem(value: unknown, schema: Schema): string {
  const kind = goKind(value);
  switch (schema.type) {
    case 'object':
      return `cannot restore struct from: ${kind}`;
    case 'map':
      return `cannot restore map from ${kind}`;
    case 'list':
    case 'bytes':
      return `cannot restore slice from ${kind}`;
    case 'string':
      return kind === 'int64' ? 'cannot convert int64 to string' : 'unrecognized type: string';
    default: {
      const convertible = typeof value === 'number' && schema.type !== 'boolean';
      return convertible ? `cannot convert ${kind} to ${goType(schema)}` : `unrecognized type: ${goType(schema)}`;
    }
  }
}

function goKind(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'object') return Array.isArray(value) ? 'slice' : 'map';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Doubles cannot tell 2^63 - 1 from 2^63, so the latter passes. */
function isInteger(value: number, bits: 32 | 64): boolean {
  const limit = 2 ** (bits - 1);
  return Number.isInteger(value) && value >= -limit && (bits === 32 ? value < limit : value <= limit);
}

/** What nearly all quantities are, and what no parser has to look at. */
const plainQuantity = /^\d{1,15}(?:\.\d{1,9})?(?:[numkMGTPE]|[KMGTPE]i)?$/;

function quantityError(text: string): string | undefined {
  if (plainQuantity.test(text)) return undefined;
  try {
    Quantity.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function goValue(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function shortName(schema: Schema): string | undefined {
  return schema.name?.slice(schema.name.lastIndexOf('.') + 1);
}

function goType(schema: Schema): string {
  switch (schema.type) {
    case 'object': {
      const parts = schema.name?.split('.') ?? [];
      return parts.length > 1 ? parts.slice(-2).join('.') : 'map[string]interface {}';
    }
    case 'map':
      return `map[string]${schema.items ? goType(schema.items()) : 'interface {}'}`;
    case 'list':
      return `[]${schema.items ? goType(schema.items()) : 'interface {}'}`;
    case 'boolean':
      return 'bool';
    case 'integer':
      return 'int64';
    case 'double':
      return 'float64';
    case 'bytes':
      return '[]uint8';
    case 'time':
      return 'v1.Time';
    case 'microTime':
      return 'v1.MicroTime';
    case 'quantity':
      return 'resource.Quantity';
    case 'intOrString':
      return 'intstr.IntOrString';
    case 'rawObject':
      return 'runtime.RawExtension';
    case 'any':
      return 'interface {}';
    default:
      return schema.type;
  }
}

/** The offset that Go's base64 decoder complains about; line breaks are allowed. */
function illegalBase64(text: string): number | undefined {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined;
  const compact = text.replace(/[\r\n]/g, '');
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact)) return undefined;
  const wrong = /[^A-Za-z0-9+/\r\n]/.exec(text);
  return wrong ? wrong.index : Math.floor(text.length / 4) * 4;
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function timeError(text: string, micro: boolean): string | undefined {
  const match = rfc3339.exec(text);
  if (match && !Number.isNaN(Date.parse(text))) return undefined;
  const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
  if (match) return `parsing time ${JSON.stringify(text)}: day out of range`;
  return `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(text)} as "2006"`;
}
