import type { FieldSchema, JSONSchemaConstraints, Schema } from '../../apimachinery/schema.ts';
import { describeField, describeType } from './descriptions.ts';

export type Dialect = 'v2' | 'v3';
export type JsonObject = { [key: string]: unknown };

const V2_PREFIX = '#/definitions/';
const V3_PREFIX = '#/components/schemas/';
/** Types with a definition of their own though they are no structs. */
const NAMED_SCALARS = new Set(['time', 'microTime', 'quantity', 'intOrString', 'rawObject']);

/** Keywords of a CRD that the schema has in its own form. */
const STRUCTURE = new Set([
  ...['type', 'description', 'nullable', 'properties', 'items', 'additionalProperties', 'required'],
  ...['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource', 'x-kubernetes-int-or-string'],
  ...['x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-map-type'],
]);
/** Version 2 has none of them, or clients do not read them. */
const JUNCTORS = new Set(['allOf', 'anyOf', 'oneOf', 'not']);

/** Renders schemas as OpenAPI: named types become definitions, collected as they are met. */
export class SchemaDocument {
  readonly #dialect: Dialect;
  readonly #waiting: Schema[] = [];
  readonly #met = new Set<string>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** A reference to a named type; its definition will be among `definitions`. */
  reference(schema: Schema): JsonObject {
    const name = schema.name!;
    if (!this.#met.has(name)) {
      this.#met.add(name);
      this.#waiting.push(schema);
    }
    return { $ref: `${this.#dialect === 'v2' ? V2_PREFIX : V3_PREFIX}${name}` };
  }

  /** The definitions that are referred to and were not yet given, and those that they refer to in turn. */
  *definitions(): Generator<readonly [name: string, definition: JsonObject]> {
    for (let schema = this.#waiting.pop(); schema; schema = this.#waiting.pop())
      yield [schema.name!, this.definition(schema)];
  }

  /** The definition itself. */
  definition(schema: Schema): JsonObject {
    const { name, gvk, constraints, preserveUnknownFields } = schema;
    const kind = gvk ? { 'x-kubernetes-group-version-kind': [gvk] } : {};
    // Of a kind that takes any field clients of version 2 are told nothing, or they would refuse what is not listed.
    if (this.#dialect === 'v2' && constraints && preserveUnknownFields) return { type: 'object', ...kind };
    const description = (constraints?.description as string | undefined) ?? (name ? describeType(name) : undefined);
    return { ...(description ? { description } : {}), ...this.#shape(schema, name), ...kind };
  }

  #property(owner: string | undefined, field: string, { schema, default: value }: FieldSchema): JsonObject {
    const description = schema.constraints
      ? (schema.constraints.description as string | undefined)
      : describeField(owner, field);
    const rendered = this.#value(schema);
    const beside = {
      ...(description ? { description } : {}),
      ...(value === undefined ? {} : { default: value }),
      ...extensions(schema),
    };
    if (Object.keys(beside).length === 0) return rendered;
    if (rendered.$ref === undefined || this.#dialect === 'v2')
      return { ...beside, ...rendered, ...(description ? { description } : {}) };
    // In OpenAPI 3.0 nothing may stand beside a reference.
    return { ...beside, allOf: [rendered] };
  }

  #value(schema: Schema): JsonObject {
    const own =
      schema.name !== undefined &&
      (schema.type === 'object' || NAMED_SCALARS.has(schema.type) || schema.type === 'any');
    return own ? this.reference(schema) : this.#shape(schema, undefined);
  }

  #shape(schema: Schema, name: string | undefined): JsonObject {
    const { constraints, nullable, preserveUnknownFields, embeddedResource } = schema;
    const shape: JsonObject = { ...this.#type(schema, name), ...(constraints ? this.#validations(constraints) : {}) };
    if (constraints?.description !== undefined && name === undefined) shape.description = constraints.description;
    if (nullable && this.#dialect === 'v3') shape.nullable = true;
    if (preserveUnknownFields) shape['x-kubernetes-preserve-unknown-fields'] = true;
    if (embeddedResource) shape['x-kubernetes-embedded-resource'] = true;
    if (name !== undefined) Object.assign(shape, extensions(schema));
    return constraints && this.#dialect === 'v2' ? forVersion2(schema, shape) : shape;
  }

  /** What a CRD says of the value beyond its structure. */
  #validations(constraints: JSONSchemaConstraints): JsonObject {
    return Object.fromEntries(
      Object.entries(constraints).filter(
        ([keyword]) => !STRUCTURE.has(keyword) && !(this.#dialect === 'v2' && JUNCTORS.has(keyword)),
      ),
    );
  }

  #type(schema: Schema, name: string | undefined): JsonObject {
    switch (schema.type) {
      case 'object':
        return this.#object(schema, name);
      case 'map':
        return { type: 'object', ...(schema.items ? { additionalProperties: this.#value(schema.items()) } : {}) };
      case 'list':
        return { type: 'array', ...(schema.items ? { items: this.#value(schema.items()) } : {}) };
      case 'int32':
      case 'int64':
        return { type: 'integer', format: schema.type };
      case 'double':
        return { type: 'number', ...(schema.constraints ? {} : { format: 'double' }) };
      case 'bytes':
        return { type: 'string', format: 'byte' };
      case 'time':
      case 'microTime':
        return { type: 'string', format: 'date-time' };
      case 'quantity':
        return this.#dialect === 'v3' ? { oneOf: [{ type: 'string' }, { type: 'number' }] } : { type: 'string' };
      case 'intOrString':
        if (name === undefined)
          return {
            ...(this.#dialect === 'v3' ? { anyOf: [{ type: 'integer' }, { type: 'string' }] } : {}),
            'x-kubernetes-int-or-string': true,
          };
        return this.#dialect === 'v3'
          ? { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' }
          : { type: 'string', format: 'int-or-string' };
      case 'rawObject':
        return { type: 'object' };
      case 'any':
        return {};
      default:
        return { type: schema.type };
    }
  }

  #object(schema: Schema, name: string | undefined): JsonObject {
    const fields = schema.fields?.();
    const shape: JsonObject = { type: 'object' };
    if (fields?.size) {
      shape.properties = Object.fromEntries(
        [...fields].map(([field, row]) => [field, this.#property(name, field, row)]),
      );
      const required =
        (schema.constraints?.required as string[] | undefined) ??
        [...fields]
          .filter(([, row]) => row.required)
          .map(([field]) => field)
          .sort();
      if (required.length) shape.required = required;
    }
    if (schema.items) shape.additionalProperties = this.#value(schema.items());
    return shape;
  }
}

/** kubectl's validation by version 2 stumbles over values that may be null or hold anything unless nothing is said of them. */
function forVersion2({ nullable, preserveUnknownFields, fields }: Schema, shape: JsonObject): JsonObject {
  const told = { ...shape };
  if (nullable || preserveUnknownFields) {
    delete told.items;
    delete told.properties;
  }
  if (nullable || (preserveUnknownFields && told.type === 'object') || (told.type === 'array' && !told.items))
    delete told.type;
  const mayBeNull = (name: string) => fields?.().get(name)?.schema.nullable === true;
  if (Array.isArray(told.required)) {
    const required = told.required.filter((name: string) => !mayBeNull(name));
    if (required.length) told.required = required;
    else delete told.required;
  }
  return told;
}

function extensions({ listType, listMapKeys, mapType, patchStrategy, patchMergeKey }: Schema): JsonObject {
  return {
    ...(listMapKeys ? { 'x-kubernetes-list-map-keys': listMapKeys } : {}),
    ...(listType ? { 'x-kubernetes-list-type': listType } : {}),
    ...(mapType ? { 'x-kubernetes-map-type': mapType } : {}),
    ...(patchMergeKey ? { 'x-kubernetes-patch-merge-key': patchMergeKey } : {}),
    ...(patchStrategy ? { 'x-kubernetes-patch-strategy': patchStrategy } : {}),
  };
}
