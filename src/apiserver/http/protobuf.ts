import type { KindDefinition } from '../../api/kind.ts';
import { schemaOf, typeNames } from '../../api/schema.ts';
import { apiVersionOf } from '../../apimachinery/meta.ts';
import { createProtobufCodec, type ProtobufCodec } from '../../apimachinery/protobuf/codec.ts';
import type { ListResult } from '../request/result.ts';
import type { Notice } from '../watch-cache/cache-event.ts';
import type { Entry } from '../watch-cache/entry.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const SLICE_MS = 5;

/** Objects in Kubernetes' protobuf form. The tables are loaded when the first client speaks it. */
export class ProtobufEncoding {
  readonly #codec: ProtobufCodec;

  private constructor(codec: ProtobufCodec) {
    this.#codec = codec;
  }

  static async load(): Promise<ProtobufEncoding> {
    const { default: messages } = await import('../../api/facts/protobuf.json', { with: { type: 'json' } });
    const known = new Set(typeNames());
    const codec = createProtobufCodec({
      messages: messages as unknown as Parameters<typeof createProtobufCodec>[0]['messages'],
      schemaOf: (name) => (known.has(name) ? schemaOf(name) : undefined),
    });
    return new ProtobufEncoding(codec);
  }

  supports({ group, version, kind }: Pick<KindDefinition, 'group' | 'version' | 'kind'>): boolean {
    return this.#codec.supports(apiVersionOf(group, version), kind);
  }

  /** Throws StatusError 400 for what is malformed. */
  decode(bytes: Uint8Array): unknown {
    return this.#codec.decode(bytes);
  }

  entry(entry: Entry): Uint8Array {
    return this.#codec.encode(entry.object);
  }

  object(object: { readonly apiVersion: string; readonly kind: string }): Uint8Array | undefined {
    return this.#codec.supports(object.apiVersion, object.kind) ? this.#codec.encode(object) : undefined;
  }

  async list({ definition, entries, metadata }: ListResult): Promise<Uint8Array> {
    const apiVersion = apiVersionOf(definition.group, definition.version);
    const parts: Uint8Array[] = [];
    add(parts, 1, this.#codec.encodeMessage('k8s.io.apimachinery.pkg.apis.meta.v1.ListMeta', metadata));
    let until = performance.now() + SLICE_MS;
    for (const entry of entries) {
      add(parts, 2, this.#codec.unwrap(this.#codec.encode(entry.as(definition).object)).raw);
      if (performance.now() < until) continue;
      await new Promise(setImmediate);
      until = performance.now() + SLICE_MS;
    }
    return this.#codec.wrap(apiVersion, definition.listKind, Buffer.concat(parts));
  }

  /** One event of a watch stream: its length, then a bare WatchEvent around the enveloped object. */
  frame(notice: Notice): Buffer {
    return notice.frame('protobuf', ({ type, entry }) => this.#frame(type, entry.object));
  }

  /** Frames of several notices, one after another; shared ones are joined once. */
  frames(notices: readonly Notice[]): Buffer {
    const [first] = notices;
    if (notices.length === 1) return this.frame(first!);
    const join = () => Buffer.concat(notices.map((notice) => this.frame(notice)));
    return first?.shared ? first.frames('protobuf', notices, join) : join();
  }

  errorFrame(status: { readonly apiVersion: string; readonly kind: string }): Buffer {
    return this.#frame('ERROR', status);
  }

  #frame(type: string, object: { readonly apiVersion: string; readonly kind: string }): Buffer {
    const raw: Uint8Array[] = [];
    add(raw, 1, this.#codec.encode(object));
    const parts: Uint8Array[] = [];
    add(parts, 1, Buffer.from(type));
    add(parts, 2, Buffer.concat(raw));
    const body = Buffer.concat(parts);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  }
}

/** Appends a length-delimited field. */
function add(parts: Uint8Array[], number: number, bytes: Uint8Array): void {
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length >= 0x80; length = Math.floor(length / 128)) head.push((length & 0x7f) | 0x80);
  head.push(length);
  parts.push(Buffer.from(head), bytes);
}
