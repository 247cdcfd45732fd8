import { Buffer } from 'node:buffer';
import type { KindDefinition } from '../../api/kind.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import type { ObjectMeta, UnstructuredObject } from '../../apimachinery/meta.ts';
import type { FieldSetPool } from './field-set-pool.ts';
import { deepFreeze, encodeStored, withRevision } from './object-encoding.ts';

const METADATA = Buffer.from('"metadata":{');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * One object at one revision: its bytes and, parsed on first use or handed over by the write, the object. Clients receive
 * the stored bytes with the resourceVersion spliced in, which is done once.
 */
export class Entry {
  /** `namespace/name`, or the bare name of a cluster-scoped object. */
  readonly key: string;
  /** The mod-revision: the object's resourceVersion. */
  readonly revision: number;
  /** The stored form until somebody asks for what clients receive, and that from then on. */
  #bytes: Buffer;
  #spliced = false;
  #object: UnstructuredObject | undefined;
  readonly #pool: FieldSetPool | undefined;
  #views: Map<KindDefinition, Entry> | undefined;
  /** Where the metadata's fields begin and, in what clients receive, where they are over; 0 before it was looked for. */
  #fieldsStart = 0;
  #end = 0;

  /** `object`, if given, carries its resourceVersion and is never changed again. */
  constructor(key: string, revision: number, stored: Uint8Array, object?: UnstructuredObject, pool?: FieldSetPool) {
    this.key = key;
    this.revision = revision;
    this.#bytes = Buffer.isBuffer(stored) ? stored : Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
    this.#object = object;
    this.#pool = pool;
  }

  get object(): UnstructuredObject {
    if (this.#object === undefined) {
      const parsed = JSON.parse(this.#bytes.toString('utf8')) as { metadata: Draft<ObjectMeta> };
      parsed.metadata.resourceVersion = String(this.revision);
      this.#pool?.shareSets(parsed.metadata);
      this.#object = deepFreeze(parsed) as unknown as UnstructuredObject;
    }
    return this.#object;
  }

  /** Only history knows this state from now on: its bytes are enough, and are parsed again if somebody asks. */
  forgetObject(): void {
    this.#object = undefined;
  }

  /** Stored form; see `encodeStored`. */
  get stored(): Buffer {
    if (!this.#spliced) return this.#bytes;
    const at = this.#metadataFields();
    return Buffer.concat([this.#bytes.subarray(0, at), this.#bytes.subarray(at + this.#versionField().length)]);
  }

  /** The object's JSON, with its resourceVersion. Nobody changes it. */
  get bytes(): Buffer {
    if (this.#spliced) return this.#bytes;
    const stored = this.#bytes;
    const at = this.#metadataFields();
    const field = this.#versionField();
    const bytes = Buffer.allocUnsafe(stored.length + field.length);
    bytes.set(stored.subarray(0, at));
    bytes.latin1Write(field, at);
    bytes.set(stored.subarray(at), at + field.length);
    this.#bytes = bytes;
    this.#spliced = true;
    return bytes;
  }

  /** Length of the stored form. */
  get size(): number {
    return this.#spliced ? this.#bytes.length - this.#versionField().length : this.#bytes.length;
  }

  /** Length of what `writeTo` writes. */
  get byteLength(): number {
    return this.bytes.length;
  }

  /** Writes the object's JSON at `offset`, which must leave `byteLength` bytes; returns the end. */
  writeTo(target: Buffer, offset: number): number {
    const { bytes } = this;
    target.set(bytes, offset);
    return offset + bytes.length;
  }

  /** Length of what `writeMetadataTo` writes. */
  get metadataLength(): number {
    return this.#metadataEnd() - this.#metadataFields() + METADATA.length;
  }

  /** Writes `"metadata":{...}` alone. */
  writeMetadataTo(target: Buffer, offset: number): number {
    const end = this.#metadataEnd();
    const start = this.#metadataFields() - METADATA.length;
    target.set(this.bytes.subarray(start, end), offset);
    return offset + end - start;
  }

  #versionField(): string {
    return `"resourceVersion":"${this.revision}",`;
  }

  /** The offset after the metadata's opening brace. */
  #metadataFields(): number {
    if (this.#fieldsStart === 0) this.#fieldsStart = this.#bytes.indexOf(METADATA) + METADATA.length;
    return this.#fieldsStart;
  }

  /** The offset after the metadata's closing brace. */
  #metadataEnd(): number {
    if (this.#end === 0) this.#end = endOfObject(this.bytes, this.#metadataFields() - 1);
    return this.#end;
  }

  /** The same state under another revision: what a DELETED event shows. */
  at(revision: number): Entry {
    return new Entry(this.key, revision, this.stored, this.#object && withRevision(this.#object, revision), this.#pool);
  }

  /** The object as `definition` serves it, converted from the stored version once. */
  as(definition: KindDefinition): Entry {
    if (!definition.storage) return this;
    const known = this.#views?.get(definition);
    if (known) return known;
    if (definition.storage.servesAsIs?.(this.object)) {
      this.#views ??= new Map();
      this.#views.set(definition, this);
      return this;
    }
    return this.setView(
      definition,
      definition.storage.fromStorage(draft(this.object)) as unknown as UnstructuredObject,
    );
  }

  /** Whether a webhook must convert it before `as` can answer. */
  mustConvert(definition: KindDefinition): boolean {
    return (
      definition.storage?.convert !== undefined &&
      !this.#views?.has(definition) &&
      `${definition.group}/${definition.version}` !== this.object.apiVersion
    );
  }

  /** Has a webhook convert it if one must. */
  async prepare(definition: KindDefinition): Promise<this> {
    if (this.mustConvert(definition)) {
      const [converted] = await definition.storage!.convert!([this.object]);
      this.setView(definition, converted!);
    }
    return this;
  }

  /** `converted` is what `as` gives from now on. */
  setView(definition: KindDefinition, converted: UnstructuredObject): Entry {
    const view = new Entry(
      this.key,
      this.revision,
      encodeStored(converted),
      deepFreeze(withRevision(converted, this.revision)),
    );
    this.#views ??= new Map();
    this.#views.set(definition, view);
    return view;
  }
}

/** The offset after the closing brace of the object that opens at `start`. */
function endOfObject(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === OPEN) depth++;
    else if (byte === CLOSE && --depth === 0) return at + 1;
  }
  return bytes.length;
}

/** The offset of the closing quote of the string that opens at `at`. */
function endOfString(bytes: Buffer, at: number): number {
  for (let end = at + 1; ; end++) {
    end = bytes.indexOf(QUOTE, end);
    if (end < 0) return bytes.length;
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

export function namespaceOfKey(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
}
