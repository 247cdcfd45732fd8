import type { JsonObject } from './schema-document.ts';

/**
 * The OpenAPI 2.0 document as the protobuf messages of gnostic's `openapi.v2` package, which older clients read. A message is
 * described by its fields: JSON name to field number and how the value is encoded.
 */
type Encode = (writer: ProtoWriter, field: number, value: unknown) => void;
type Message = Readonly<Record<string, readonly [field: number, encode: Encode]>>;

class ProtoWriter {
  readonly #parts: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(field: number, value: Buffer): void {
    this.#push(varint((field << 3) | 2));
    this.#push(varint(value.length));
    this.#push(value);
  }

  number(field: number, value: number): void {
    this.#push(varint(field << 3));
    this.#push(varint(value));
  }

  double(field: number, value: number): void {
    this.#push(varint((field << 3) | 1));
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#push(bytes);
  }

  take(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  #push(part: Buffer): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

function varint(value: number): Buffer {
  if (value < 0x80) return Buffer.of(value);
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

const text: Encode = (writer, field, value) => writer.bytes(field, Buffer.from(String(value)));
const texts: Encode = (writer, field, value) => {
  for (const item of [value].flat()) text(writer, field, item);
};
const flag: Encode = (writer, field, value) => {
  if (value) writer.number(field, 1);
};
const integer: Encode = (writer, field, value) => writer.number(field, Number(value));
const double: Encode = (writer, field, value) => writer.double(field, Number(value));
/** gnostic's Any holds YAML; JSON is YAML. */
const any: Encode = (writer, field, value) => writer.bytes(field, anyOf(value));
const anys: Encode = (writer, field, value) => {
  for (const item of value as readonly unknown[]) any(writer, field, item);
};
const message =
  (fields: () => Message): Encode =>
  (writer, field, value) =>
    writer.bytes(field, encode(fields(), value as JsonObject));
const messages =
  (fields: () => Message): Encode =>
  (writer, field, value) => {
    for (const item of [value].flat()) writer.bytes(field, encode(fields(), item as JsonObject));
  };

function anyOf(value: unknown): Buffer {
  const writer = new ProtoWriter();
  text(writer, 2, JSON.stringify(value));
  return writer.take();
}

const VENDOR_EXTENSION = Symbol('vendor extension');

function encode(fields: Message & { readonly [VENDOR_EXTENSION]?: number }, object: JsonObject): Buffer {
  const writer = new ProtoWriter();
  const extension = fields[VENDOR_EXTENSION];
  for (const [name, value] of Object.entries(object)) {
    const known = fields[name];
    if (known) known[1](writer, known[0], value);
    else if (extension !== undefined && name.startsWith('x-')) writer.bytes(extension, named(name, anyOf(value)));
  }
  return writer.take();
}

/** A `Named...` message: name and value. */
function named(name: string, value: Buffer): Buffer {
  const writer = new ProtoWriter();
  text(writer, 1, name);
  writer.bytes(2, value);
  return writer.take();
}

function wrapped(field: number, value: Buffer): Buffer {
  const writer = new ProtoWriter();
  writer.bytes(field, value);
  return writer.take();
}

/** A map, in a message of its own whose repeated field 1 are the named values. */
const properties: Encode = (writer, field, value) => {
  const inner = new ProtoWriter();
  for (const [name, schema] of Object.entries(value as JsonObject))
    inner.bytes(1, named(name, encode(SCHEMA, schema as JsonObject)));
  writer.bytes(field, inner.take());
};

const additionalProperties: Encode = (writer, field, value) => {
  if (typeof value === 'boolean') {
    const inner = new ProtoWriter();
    inner.number(2, value ? 1 : 0);
    writer.bytes(field, inner.take());
  } else writer.bytes(field, wrapped(1, encode(SCHEMA, value as JsonObject)));
};

/** A string or a list in JSON; here a list in a message of its own. */
const type: Encode = (writer, field, value) => {
  const inner = new ProtoWriter();
  texts(inner, 1, value);
  writer.bytes(field, inner.take());
};

const SCHEMA: Message & { readonly [VENDOR_EXTENSION]: number } = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, any],
  multipleOf: [6, double],
  maximum: [7, double],
  exclusiveMaximum: [8, flag],
  minimum: [9, double],
  exclusiveMinimum: [10, flag],
  maxLength: [11, integer],
  minLength: [12, integer],
  pattern: [13, text],
  maxItems: [14, integer],
  minItems: [15, integer],
  uniqueItems: [16, flag],
  maxProperties: [17, integer],
  minProperties: [18, integer],
  required: [19, texts],
  enum: [20, anys],
  additionalProperties: [21, additionalProperties],
  type: [22, type],
  items: [23, (writer, field, value) => writer.bytes(field, wrapped(1, encode(SCHEMA, value as JsonObject)))],
  allOf: [24, messages(() => SCHEMA)],
  properties: [25, properties],
  example: [30, any],
  [VENDOR_EXTENSION]: 31,
};
const QUERY_PARAMETER: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [6, text],
  format: [7, text],
  uniqueItems: [20, flag],
};
const PATH_PARAMETER: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [5, text],
  format: [6, text],
};
const BODY_PARAMETER: Message = {
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, flag],
  schema: [5, message(() => SCHEMA)],
};

/** ParametersItem > Parameter > body or (NonBodyParameter > query or path). */
const parameters: Encode = (writer, field, value) => {
  for (const parameter of value as readonly JsonObject[]) {
    const inner =
      parameter.in === 'body'
        ? wrapped(1, encode(BODY_PARAMETER, parameter))
        : wrapped(
            2,
            parameter.in === 'query'
              ? wrapped(3, encode(QUERY_PARAMETER, parameter))
              : wrapped(4, encode(PATH_PARAMETER, parameter)),
          );
    writer.bytes(field, wrapped(1, inner));
  }
};

/** Response > SchemaItem > Schema. */
const RESPONSE: Message = {
  description: [1, text],
  schema: [2, (writer, field, value) => writer.bytes(field, wrapped(1, encode(SCHEMA, value as JsonObject)))],
};

const responses: Encode = (writer, field, value) => {
  const inner = new ProtoWriter();
  for (const [code, response] of Object.entries(value as JsonObject))
    inner.bytes(1, named(code, wrapped(1, encode(RESPONSE, response as JsonObject))));
  writer.bytes(field, inner.take());
};

const OPERATION: Message & { readonly [VENDOR_EXTENSION]: number } = {
  tags: [1, texts],
  description: [3, text],
  operationId: [5, text],
  produces: [6, texts],
  consumes: [7, texts],
  parameters: [8, parameters],
  responses: [9, responses],
  schemes: [10, texts],
  [VENDOR_EXTENSION]: 13,
};

const operation = message(() => OPERATION);
const PATH_ITEM: Message = {
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  patch: [8, operation],
  parameters: [9, parameters],
};

/** NamedPathItem. */
export function encodeGnosticPath(path: string, item: JsonObject): Buffer {
  return named(path, encode(PATH_ITEM, item));
}

/** NamedSchema. */
export function encodeGnosticDefinition(name: string, definition: JsonObject): Buffer {
  return named(name, encode(SCHEMA, definition));
}

/** Document, of the paths and definitions that the functions above encoded. */
export function encodeGnosticDocument(
  info: { readonly title: string; readonly version: string },
  paths: readonly Buffer[],
  definitions: readonly Buffer[],
): Buffer {
  const writer = new ProtoWriter();
  text(writer, 1, '2.0');
  writer.bytes(2, encode({ title: [1, text], version: [2, text] }, info));
  const pathList = new ProtoWriter();
  for (const path of paths) pathList.bytes(2, path);
  writer.bytes(8, pathList.take());
  const definitionList = new ProtoWriter();
  for (const definition of definitions) definitionList.bytes(1, definition);
  writer.bytes(9, definitionList.take());
  return writer.take();
}
