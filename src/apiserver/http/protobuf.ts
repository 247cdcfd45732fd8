import type { KindDefinition } from '../../api/kind.ts';
import { schemaOf, typeNames } from '../../api/schema.ts';
import { apiVersionOf } from '../../apimachinery/meta.ts';
import { createProtobufCodec, type ProtobufCodec } from '../../apimachinery/protobuf/codec.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { RequestBody } from '../request/request-context.ts';
import type { ListResult } from '../request/result.ts';
import type { Batch, Notice } from '../watch-cache/cache-event.ts';
import type { Entry } from '../watch-cache/entry.ts';
import type { Negotiated } from './negotiation.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const META = 'k8s.io.apimachinery.pkg.apis.meta';
const SLICE_MS = 5;

/** The encoding, loaded at the first call. */
export type ProtobufSource = () => Promise<ProtobufEncoding>;

export function protobufSource(): ProtobufSource {
  let loading: Promise<ProtobufEncoding> | undefined;
  return () => {
    loading ??= ProtobufEncoding.load();
    return loading;
  };
}

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

  /** Of a request. */
  body(bytes: Uint8Array): RequestBody {
    try {
      return { contentType: 'application/json', object: this.#codec.decode(bytes), owned: true };
    } catch (error) {
      if (!isStatusError(error)) throw error;
      return { contentType: PROTOBUF, bytes, undecoded: { message: error.message, ...this.#kindOf(bytes) } };
    }
  }

  #kindOf(bytes: Uint8Array): { readonly kind?: string; readonly version?: string } {
    try {
      const { apiVersion, kind } = this.#codec.unwrap(bytes);
      return { kind, version: apiVersion.slice(apiVersion.indexOf('/') + 1) };
    } catch {
      return {};
    }
  }

  entry(entry: Entry, as: Negotiated): Uint8Array {
    return as.shape === 'object'
      ? this.#codec.encode(entry.object)
      : this.#codec.wrap(`meta.k8s.io/${as.metaVersion}`, 'PartialObjectMetadata', this.#partial(entry));
  }

  object(object: { readonly apiVersion: string; readonly kind: string }): Uint8Array | undefined {
    return this.#codec.supports(object.apiVersion, object.kind) ? this.#codec.encode(object) : undefined;
  }

  async list({ definition, entries, metadata }: ListResult, as: Negotiated): Promise<Uint8Array> {
    const whole = as.shape === 'object';
    const numbers = whole || as.metaVersion === 'v1' ? { metadata: 1, items: 2 } : { metadata: 2, items: 1 };
    const parts: Uint8Array[] = [];
    add(parts, numbers.metadata, this.#codec.encodeMessage(`${META}.v1.ListMeta`, metadata));
    let until = performance.now() + SLICE_MS;
    for (const entry of entries) {
      const served = entry.as(definition);
      const item = whole ? this.#codec.unwrap(this.#codec.encode(served.object)).raw : this.#partial(served);
      add(parts, numbers.items, item);
      if (performance.now() < until) continue;
      await new Promise(setImmediate);
      until = performance.now() + SLICE_MS;
    }
    const raw = Buffer.concat(parts);
    return whole
      ? this.#codec.wrap(apiVersionOf(definition.group, definition.version), definition.listKind, raw)
      : this.#codec.wrap(`meta.k8s.io/${as.metaVersion}`, 'PartialObjectMetadataList', raw);
  }

  /** The events of a watch stream, each its length and then a bare WatchEvent around the enveloped object. */
  frames(batch: Batch, as: Negotiated): Buffer {
    const id = as.shape === 'object' ? 'protobuf' : `protobuf/partial/${as.metaVersion}`;
    const frame = (notice: Notice) => notice.frame(id, ({ type, entry }) => this.#frame(type, this.entry(entry, as)));
    return batch.frames(id, (notices) =>
      notices.length === 1 ? frame(notices[0]!) : Buffer.concat(notices.map(frame)),
    );
  }

  errorFrame(status: { readonly apiVersion: string; readonly kind: string }): Buffer {
    return this.#frame('ERROR', this.#codec.encode(status));
  }

  #partial({ object }: Entry): Uint8Array {
    return this.#codec.encodeMessage(`${META}.v1.PartialObjectMetadata`, { metadata: object.metadata });
  }

  #frame(type: string, object: Uint8Array): Buffer {
    const raw: Uint8Array[] = [];
    add(raw, 1, object);
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
