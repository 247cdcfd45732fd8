import { MAX_DEPTH } from '../decoded.ts';
import type { UnstructuredObject } from '../meta.ts';
import { type Dictionary, isDictionary, setKey } from '../schema-walk.ts';
import type { ScalarType } from '../zero-values.ts';
import {
  readDuration,
  readIntOrString,
  readRaw,
  readStringMessage,
  readTime,
  writeDuration,
  writeIntOrString,
  writeRaw,
  writeStringMessage,
  writeTime,
} from './special-values.ts';
import {
  type FieldPlan,
  type MessagePlan,
  messageOfKind,
  type ProtobufTables,
  planMessage,
  type ValueType,
} from './tables.ts';
import { BYTES, FIXED64, malformed, Reader, ReverseWriter, VARINT } from './wire.ts';

export type { ProtobufTables } from './tables.ts';

/** `application/vnd.kubernetes.protobuf`: the magic number, then a `runtime.Unknown`. */
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

export interface ProtobufCodec {
  /** Whether objects of the kind have a protobuf form. */
  supports(apiVersion: string, kind: string): boolean;
  /** With envelope. Throws StatusError 400 for a kind without a protobuf form. */
  encode(object: { readonly apiVersion: string; readonly kind: string }): Uint8Array;
  /** With envelope. Throws StatusError 400 for what is malformed or of a kind without a protobuf form. */
  decode(bytes: Uint8Array): UnstructuredObject;
  /** An envelope around bytes that are already encoded. */
  wrap(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array;
  unwrap(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array; contentType: string };
  /** A bare message by its full name, without envelope. */
  encodeMessage(message: string, value: unknown): Uint8Array;
  decodeMessage(message: string, bytes: Uint8Array): unknown;
}

/** Turns objects in JSON form into protobuf and back. Lists and maps without entries have no protobuf form and vanish. */
export function createProtobufCodec(tables: ProtobufTables): ProtobufCodec {
  return new TableCodec(tables);
}

class TableCodec implements ProtobufCodec {
  readonly #tables: ProtobufTables;
  readonly #plans = new Map<string, MessagePlan>();

  constructor(tables: ProtobufTables) {
    this.#tables = tables;
  }

  supports(apiVersion: string, kind: string): boolean {
    return messageOfKind(this.#tables, apiVersion, kind) !== undefined;
  }

  encode(object: { readonly apiVersion: string; readonly kind: string }): Uint8Array {
    const { apiVersion, kind } = object;
    return this.wrap(apiVersion, kind, this.encodeMessage(this.#messageOf(apiVersion, kind), object));
  }

  decode(bytes: Uint8Array): UnstructuredObject {
    const { apiVersion, kind, raw } = this.unwrap(bytes);
    const object = this.decodeMessage(this.#messageOf(apiVersion, kind), raw) as Dictionary;
    return { apiVersion, kind, ...object } as UnstructuredObject;
  }

  wrap(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array {
    const writer = new ReverseWriter(raw.length + 256);
    writeDelimited(writer, 4, () => {});
    writeDelimited(writer, 3, () => {});
    writeDelimited(writer, 2, () => writer.bytes(raw));
    writeDelimited(writer, 1, () => {
      writeDelimited(writer, 2, () => writer.string(kind));
      writeDelimited(writer, 1, () => writer.string(apiVersion));
    });
    writer.bytes(MAGIC);
    return writer.finish();
  }

  unwrap(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array; contentType: string } {
    if (bytes.length < 4 || Buffer.compare(bytes.subarray(0, 4), MAGIC) !== 0)
      throw malformed('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
    const reader = new Reader(bytes, 4);
    const result = { apiVersion: '', kind: '', raw: new Uint8Array() as Uint8Array, contentType: '' };
    while (!reader.done) {
      const { number, wireType } = reader.tag();
      if (wireType !== BYTES) reader.skip(wireType);
      else if (number === 1) {
        const typeMeta = reader.message();
        while (!typeMeta.done) {
          const tag = typeMeta.tag();
          if (tag.wireType !== BYTES) typeMeta.skip(tag.wireType);
          else if (tag.number === 1) result.apiVersion = typeMeta.string();
          else if (tag.number === 2) result.kind = typeMeta.string();
          else typeMeta.skip(BYTES);
        }
      } else if (number === 2) result.raw = reader.bytes();
      else if (number === 4) result.contentType = reader.string();
      else reader.skip(BYTES);
    }
    return result;
  }

  encodeMessage(message: string, value: unknown): Uint8Array {
    const writer = new ReverseWriter();
    this.#write(writer, this.#plan(message), value);
    return writer.finish();
  }

  decodeMessage(message: string, bytes: Uint8Array): unknown {
    return this.#read(new Reader(bytes), this.#plan(message), 0);
  }

  #messageOf(apiVersion: string, kind: string): string {
    const message = messageOfKind(this.#tables, apiVersion, kind);
    if (message === undefined)
      throw malformed(
        `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in protobuf`,
      );
    return message;
  }

  #plan(name: string): MessagePlan {
    let plan = this.#plans.get(name);
    if (!plan) {
      plan = planMessage(this.#tables, name);
      if (!plan) throw malformed(`no protobuf message is named ${name}`);
      this.#plans.set(name, plan);
    }
    return plan;
  }

  #write(writer: ReverseWriter, plan: MessagePlan, value: unknown): void {
    switch (plan.special) {
      case undefined:
        if (isDictionary(value)) for (const field of plan.fields) this.#writeField(writer, field, value);
        return;
      case 'quantity':
        writeStringMessage(writer, value);
        return;
      case 'time':
      case 'microTime':
        writeTime(writer, value);
        return;
      case 'duration':
        writeDuration(writer, value);
        return;
      case 'intOrString':
        writeIntOrString(writer, value);
        return;
      case 'raw':
        writeRaw(writer, value);
        return;
      case 'items':
        this.#writeFields(writer, plan, { items: value });
        return;
      case 'schemaOrBool':
        this.#writeFields(
          writer,
          plan,
          typeof value === 'boolean' ? { allows: value } : { allows: true, schema: value },
        );
        return;
      case 'schemaOrArray':
        this.#writeFields(writer, plan, Array.isArray(value) ? { jSONSchemas: value } : { schema: value });
        return;
      case 'schemaOrStringArray':
        this.#writeFields(writer, plan, Array.isArray(value) ? { property: value } : { schema: value });
    }
  }

  #writeFields(writer: ReverseWriter, plan: MessagePlan, object: Dictionary): void {
    for (const field of plan.fields) this.#writeField(writer, field, object);
  }

  #writeField(writer: ReverseWriter, field: FieldPlan, object: Dictionary): void {
    if (field.shape === 'inlined') {
      const before = writer.length;
      this.#write(writer, this.#plan(field.type.message as string), object);
      if (writer.length > before) {
        writer.varint(writer.length - before);
        writer.tag(field.number, BYTES);
      }
      return;
    }
    if (!Object.hasOwn(object, field.name)) return;
    const value = object[field.name];
    if (value === undefined || value === null) return;
    if (field.shape === 'single') this.#writeValue(writer, field.number, field.type, value);
    else if (field.shape === 'list') {
      const items = value as readonly unknown[];
      for (let i = items.length - 1; i >= 0; i--) this.#writeValue(writer, field.number, field.type, items[i]);
    } else {
      const keys = Object.keys(value).sort();
      for (let i = keys.length - 1; i >= 0; i--) {
        const key = keys[i] as string;
        writeDelimited(writer, field.number, () => {
          this.#writeValue(writer, 2, field.type, (value as Dictionary)[key]);
          writeDelimited(writer, 1, () => writer.string(key));
        });
      }
    }
  }

  #writeValue(writer: ReverseWriter, number: number, type: ValueType, value: unknown): void {
    if (type.message !== undefined) {
      const before = writer.length;
      this.#write(writer, this.#plan(type.message), value);
      writer.varint(writer.length - before);
      writer.tag(number, BYTES);
    } else writeScalar(writer, number, type.scalar as ScalarType, value);
  }

  #read(reader: Reader, plan: MessagePlan, depth: number): unknown {
    if (depth > MAX_DEPTH) throw malformed('proto: exceeded max depth');
    switch (plan.special) {
      case undefined:
        return this.#readFields(reader, plan, {}, depth);
      case 'quantity':
        return readStringMessage(reader) || '0';
      case 'time':
        return readTime(reader, false);
      case 'microTime':
        return readTime(reader, true);
      case 'duration':
        return readDuration(reader);
      case 'intOrString':
        return readIntOrString(reader);
      case 'raw':
        return readRaw(reader);
      case 'items':
        return this.#readFields(reader, plan, {}, depth).items ?? [];
      case 'schemaOrBool': {
        const { allows, schema } = this.#readFields(reader, plan, {}, depth);
        return schema ?? allows ?? false;
      }
      case 'schemaOrArray': {
        const { jSONSchemas, schema } = this.#readFields(reader, plan, {}, depth);
        return jSONSchemas ?? schema ?? [];
      }
      case 'schemaOrStringArray': {
        const { property, schema } = this.#readFields(reader, plan, {}, depth);
        return property ?? schema ?? [];
      }
    }
  }

  #readFields(reader: Reader, plan: MessagePlan, object: Dictionary, depth: number): Dictionary {
    while (!reader.done) {
      const { number, wireType } = reader.tag();
      const field = plan.byNumber.get(number);
      if (!field) {
        reader.skip(wireType);
        continue;
      }
      const { name, shape, type } = field;
      if (shape === 'inlined') {
        this.#expect(wireType, BYTES, name);
        this.#readFields(reader.message(), this.#plan(type.message as string), object, depth + 1);
      } else if (shape === 'map') {
        this.#expect(wireType, BYTES, name);
        const map = (object[name] ?? {}) as Dictionary;
        object[name] = map;
        this.#readEntry(reader.message(), type, map, name, depth);
      } else if (shape === 'list') {
        const list = (object[name] ?? []) as unknown[];
        object[name] = list;
        if (wireType === BYTES && isPackable(type)) {
          const packed = reader.message();
          while (!packed.done) list.push(readScalar(packed, type.scalar as ScalarType));
        } else list.push(this.#readValue(reader, type, wireType, name, depth) ?? null);
      } else {
        const value = this.#readValue(reader, type, wireType, name, depth);
        if (value !== undefined && (field.keepsZero || !isZero(value))) object[name] = value;
      }
    }
    return object;
  }

  #readEntry(reader: Reader, type: ValueType, map: Dictionary, name: string, depth: number): void {
    let key = '';
    let value: unknown;
    while (!reader.done) {
      const tag = reader.tag();
      if (tag.number === 1 && tag.wireType === BYTES) key = reader.string();
      else if (tag.number === 2) value = this.#readValue(reader, type, tag.wireType, name, depth);
      else reader.skip(tag.wireType);
    }
    setKey(map, key, value ?? this.#emptyOf(type));
  }

  /** The value of a map entry that has none. */
  #emptyOf(type: ValueType): unknown {
    if (type.message !== undefined)
      return this.#read(new Reader(new Uint8Array()), this.#plan(type.message), 0) ?? null;
    return type.scalar === 'bool' ? false : type.scalar === 'string' || type.scalar === 'bytes' ? '' : 0;
  }

  #readValue(reader: Reader, type: ValueType, wireType: number, name: string, depth: number): unknown {
    if (type.message !== undefined) {
      this.#expect(wireType, BYTES, name);
      return this.#read(reader.message(), this.#plan(type.message), depth + 1);
    }
    const scalar = type.scalar as ScalarType;
    this.#expect(wireType, wireTypeOf(scalar), name);
    return readScalar(reader, scalar);
  }

  #expect(wireType: number, wanted: number, name: string): void {
    if (wireType !== wanted) throw malformed(`proto: wrong wireType = ${wireType} for field ${name}`);
  }
}

function writeDelimited(writer: ReverseWriter, number: number, content: () => void): void {
  const before = writer.length;
  content();
  writer.varint(writer.length - before);
  writer.tag(number, BYTES);
}

function wireTypeOf(scalar: ScalarType): number {
  if (scalar === 'double') return FIXED64;
  return scalar === 'string' || scalar === 'bytes' ? BYTES : VARINT;
}

function isPackable(type: ValueType): boolean {
  return type.scalar !== undefined && wireTypeOf(type.scalar) !== BYTES;
}

function writeScalar(writer: ReverseWriter, number: number, scalar: ScalarType, value: unknown): void {
  switch (scalar) {
    case 'double':
      writer.double(value as number);
      writer.tag(number, FIXED64);
      return;
    case 'bool':
      writer.varint(value ? 1 : 0);
      writer.tag(number, VARINT);
      return;
    case 'int32':
    case 'int64':
      writer.varint(value as number);
      writer.tag(number, VARINT);
      return;
    case 'string':
      writeDelimited(writer, number, () => writer.string(String(value)));
      return;
    case 'bytes':
      writeDelimited(writer, number, () => writer.bytes(Buffer.from(String(value), 'base64')));
  }
}

function readScalar(reader: Reader, scalar: ScalarType): unknown {
  switch (scalar) {
    case 'double':
      return reader.double();
    case 'bool':
      return reader.unsigned() !== 0;
    case 'int32':
      return reader.int32();
    case 'int64':
      return reader.int64();
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.bytes().toString('base64');
  }
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}
