import { createHash } from 'node:crypto';
import type { Format } from '../http/negotiation.ts';
import type { ProtobufSource } from '../http/protobuf.ts';
import { toYaml } from '../http/readable.ts';

type Body = string | Uint8Array;

/** A document in the encodings in which clients ask for it; each is made when it is first asked for. */
export class DiscoveryDocument {
  readonly #object: object;
  readonly #bodies = new Map<string, Body>();
  #etag: string | undefined;

  constructor(object: object) {
    this.#object = object;
  }

  /** Of the JSON, whatever the encoding: answers say that they vary by `Accept`. */
  get etag(): string {
    this.#etag ??= `"${createHash('sha512').update(JSON.stringify(this.#object)).digest('hex').toUpperCase()}"`;
    return this.#etag;
  }

  body(format: Format, pretty: boolean, protobuf: ProtobufSource): Body | Promise<Body> {
    const key = format === 'json' && pretty ? 'pretty' : format;
    const known = this.#bodies.get(key);
    if (known !== undefined) return known;
    const keep = (body: Body) => {
      this.#bodies.set(key, body);
      return body;
    };
    switch (key) {
      case 'yaml':
        return toYaml(this.#object).then(keep);
      case 'protobuf':
        return protobuf().then((encoding) => keep(encoding.object({ apiVersion: '', kind: '', ...this.#object })!));
      default:
        return keep(key === 'pretty' ? JSON.stringify(this.#object, null, 2) : `${JSON.stringify(this.#object)}\n`);
    }
  }
}
