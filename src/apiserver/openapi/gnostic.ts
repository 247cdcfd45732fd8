import type { JsonObject } from './schema-document.ts';

/**
 * The OpenAPI 2.0 document as the protobuf messages of gnostic's `openapi.v2` package, which older clients read. A message is
 * described by its fields: JSON name to field number and how the value is encoded.
 */
type Encode = (writer: BackwardWriter, field: number, value: unknown) => void;
type Message = Readonly<Record<string, readonly [field: number, encode: Encode]>> & {
  readonly [VENDOR_EXTENSION]?: number;
};

const VENDOR_EXTENSION = Symbol('vendor extension');
const BYTES = 2;
const VARINT = 0;
const DOUBLE = 1;

const text: Encode = (writer, field, value) => writer.text(field, String(value));
const flag: Encode = (writer, field, value) => {
  if (value) writer.number(field, 1);
};
const integer: Encode = (writer, field, value) => writer.number(field, Number(value));
const double: Encode = (writer, field, value) => writer.double(field, Number(value));
/** gnostic's Any holds YAML; JSON is YAML. */
const any: Encode = (writer, field, value) => writer.message(field, () => writer.text(2, JSON.stringify(value)));
const message =
  (fields: () => Message): Encode =>
  (writer, field, value) =>
    writer.message(field, () => encode(writer, fields(), value as JsonObject));
/** A field that occurs once per item. */
const each =
  (item: Encode): Encode =>
  (writer, field, value) => {
    const items = [value].flat();
    for (let index = items.length - 1; index >= 0; index--) item(writer, field, items[index]);
  };
/** A message whose only field has the value. */
const within =
  (inner: number, item: Encode): Encode =>
  (writer, field, value) =>
    writer.message(field, () => item(writer, inner, value));
/** `Named...` messages: a name in field 1, the value in field 2. */
const entries =
  (item: Encode): Encode =>
  (writer, field, value) => {
    for (const [name, content] of Object.entries(value as JsonObject).reverse())
      named(writer, field, name, item, content);
  };
const texts = each(text);

function named(writer: BackwardWriter, field: number, name: string, item: Encode, value: unknown): void {
  writer.message(field, () => {
    item(writer, 2, value);
    writer.text(1, name);
  });
}

function encode(writer: BackwardWriter, fields: Message, object: JsonObject): void {
  const extension = fields[VENDOR_EXTENSION];
  for (const [name, value] of Object.entries(object).reverse()) {
    const known = fields[name];
    if (known) known[1](writer, known[0], value);
    else if (extension !== undefined && name.startsWith('x-')) named(writer, extension, name, any, value);
  }
}

const additionalProperties: Encode = (writer, field, value) =>
  writer.message(field, () =>
    typeof value === 'boolean' ? writer.number(2, value ? 1 : 0) : schema(writer, 1, value),
  );

const schema: Encode = message(() => SCHEMA);
const SCHEMA: Message = {
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
  enum: [20, each(any)],
  additionalProperties: [21, additionalProperties],
  // A string or a list in JSON; here a list in a message of its own.
  type: [22, within(1, texts)],
  items: [23, within(1, schema)],
  allOf: [24, each(schema)],
  properties: [25, within(1, entries(schema))],
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
  schema: [5, schema],
};

/** Parameter: body, or NonBodyParameter: query or path. */
const parameter: Encode = (writer, field, value) => {
  const place = (value as JsonObject).in;
  const kind = place === 'body' ? BODY_PARAMETER : place === 'query' ? QUERY_PARAMETER : PATH_PARAMETER;
  const own = message(() => kind);
  writer.message(field, () =>
    place === 'body' ? own(writer, 1, value) : within(place === 'query' ? 3 : 4, own)(writer, 2, value),
  );
};

/** Response > SchemaItem > Schema. */
const RESPONSE: Message = { description: [1, text], schema: [2, within(1, schema)] };

const OPERATION: Message = {
  tags: [1, texts],
  description: [3, text],
  operationId: [5, text],
  produces: [6, texts],
  consumes: [7, texts],
  // ParametersItem > Parameter
  parameters: [8, each(within(1, parameter))],
  // Responses > NamedResponseValue > ResponseValue > Response
  responses: [
    9,
    within(
      1,
      entries(
        within(
          1,
          message(() => RESPONSE),
        ),
      ),
    ),
  ],
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
  parameters: [9, each(within(1, parameter))],
};

/** A NamedPathItem of Paths. */
export function encodeGnosticPath(path: string, item: JsonObject): Buffer {
  return written((writer) =>
    named(
      writer,
      2,
      path,
      message(() => PATH_ITEM),
      item,
    ),
  );
}

/** A NamedSchema of Definitions. */
export function encodeGnosticDefinition(name: string, definition: JsonObject): Buffer {
  return written((writer) => named(writer, 1, name, schema, definition));
}

/** Document, of the paths and definitions that the functions above encoded. */
export function encodeGnosticDocument(
  info: { readonly title: string; readonly version: string },
  paths: readonly Buffer[],
  definitions: readonly Buffer[],
): Buffer {
  const head = written((writer) => {
    writer.message(2, () => encode(writer, { title: [1, text], version: [2, text] }, info));
    writer.text(1, '2.0');
  });
  return Buffer.concat([head, lengthPrefix(8, paths), ...paths, lengthPrefix(9, definitions), ...definitions]);
}

function lengthPrefix(field: number, parts: readonly Buffer[]): Buffer {
  return written((writer) =>
    writer.prefix(
      field,
      parts.reduce((sum, part) => sum + part.length, 0),
    ),
  );
}

function written(write: (writer: BackwardWriter) => void): Buffer {
  const writer = new BackwardWriter();
  write(writer);
  return writer.take();
}

/** Writes a protobuf message from its end: so the length of what is nested is known when it is to be written. */
class BackwardWriter {
  #buffer = Buffer.allocUnsafe(16 * 1024);
  #start = this.#buffer.length;

  text(field: number, value: string): void {
    const length = Buffer.byteLength(value);
    this.#room(length);
    this.#buffer.write(value, this.#start, 'utf8');
    this.prefix(field, length);
  }

  number(field: number, value: number): void {
    this.#varint(value);
    this.#varint(field * 8 + VARINT);
  }

  double(field: number, value: number): void {
    this.#room(8);
    this.#buffer.writeDoubleLE(value, this.#start);
    this.#varint(field * 8 + DOUBLE);
  }

  message(field: number, content: () => void): void {
    const end = this.#buffer.length - this.#start;
    content();
    this.prefix(field, this.#buffer.length - this.#start - end);
  }

  /** Tag and length of what was just written. */
  prefix(field: number, length: number): void {
    this.#varint(length);
    this.#varint(field * 8 + BYTES);
  }

  take(): Buffer {
    return Buffer.from(this.#buffer.subarray(this.#start));
  }

  #varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
    this.#room(size);
    let rest = value;
    for (let index = 0; index < size; index++) {
      this.#buffer[this.#start + index] = (rest % 0x80) | (index < size - 1 ? 0x80 : 0);
      rest = Math.floor(rest / 0x80);
    }
  }

  /** Moves the start so that `bytes` fit. */
  #room(bytes: number): void {
    if (bytes > this.#start) {
      const used = this.#buffer.length - this.#start;
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + bytes));
      this.#buffer.copy(larger, larger.length - used, this.#start);
      this.#buffer = larger;
      this.#start = larger.length - used;
    }
    this.#start -= bytes;
  }
}
