/** The frames of SPDY/3.1, as far as Kubernetes' streams use them. */
export const FrameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const FLAG_FIN = 0x01;
export const INITIAL_WINDOW_SETTING = 7;
export const INITIAL_WINDOW_BYTES = 64 * 1024;
export const RST_REFUSED = 3;
export const RST_CANCEL = 5;
const VERSION = 3;
const HEAD_BYTES = 8;
/** A peer may say up to 16 MiB; nobody does. */
const MAX_CONTROL_BYTES = 128 * 1024;

export interface ControlFrame {
  readonly kind: 'control';
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** Data comes as it arrives: one frame may be many of these, the last with `end`. */
export interface DataPart {
  readonly kind: 'data';
  readonly streamId: number;
  readonly bytes: Buffer;
  /** The end of the frame: `fin` counts then. */
  readonly end: boolean;
  readonly fin: boolean;
}

export function controlFrame(type: number, flags: number, ...payload: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(((flags << 24) | length) >>> 0, 4);
  return Buffer.concat([head, ...payload]);
}

export function dataFrameHead(streamId: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(streamId & 0x7fffffff, 0);
  head.writeUInt32BE((((fin ? FLAG_FIN : 0) << 24) | length) >>> 0, 4);
  return head;
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value >>> 0, index * 4);
  });
  return bytes;
}

/** Cuts a byte stream into frames. Data is passed on without waiting for the whole frame. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  #data: { readonly streamId: number; readonly fin: boolean; left: number } | undefined;

  /** Throws for what is not SPDY/3. */
  *read(chunk: Buffer): Generator<ControlFrame | DataPart> {
    let rest = this.#pending.length ? Buffer.concat([this.#pending, chunk]) : chunk;
    this.#pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#data) {
        const { streamId, fin } = this.#data;
        const bytes = rest.subarray(0, this.#data.left);
        rest = rest.subarray(bytes.length);
        this.#data.left -= bytes.length;
        const end = this.#data.left === 0;
        if (end) this.#data = undefined;
        yield { kind: 'data', streamId, bytes, end, fin: fin && end };
        continue;
      }
      if (rest.length < HEAD_BYTES) break;
      const flags = rest[4]!;
      const length = rest.readUIntBE(5, 3);
      if ((rest[0]! & 0x80) === 0) {
        const streamId = rest.readUInt32BE(0);
        const fin = (flags & FLAG_FIN) !== 0;
        rest = rest.subarray(HEAD_BYTES);
        if (length === 0) yield { kind: 'data', streamId, bytes: Buffer.alloc(0), end: true, fin };
        else this.#data = { streamId, fin, left: length };
        continue;
      }
      if ((rest.readUInt16BE(0) & 0x7fff) !== VERSION) throw new RangeError('the peer does not speak SPDY/3');
      if (length > MAX_CONTROL_BYTES) throw new RangeError('a control frame is too large');
      if (rest.length < HEAD_BYTES + length) break;
      const payload = rest.subarray(HEAD_BYTES, HEAD_BYTES + length);
      const type = rest.readUInt16BE(2);
      rest = rest.subarray(HEAD_BYTES + length);
      yield { kind: 'control', type, flags, payload };
    }
    this.#pending = rest;
  }
}
