import { badRequest } from '../status-error.ts';

/** The protobuf wire format: what a message's fields are written to and read from. */

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

const TWO32 = 4294967296;

/** Writes back to front, so that lengths are known when they are due. */
export class ReverseWriter {
  #buffer: Buffer;
  #start: number;

  constructor(size = 4096) {
    this.#buffer = Buffer.allocUnsafe(size);
    this.#start = size;
  }

  /** How many bytes have been written. */
  get length(): number {
    return this.#buffer.length - this.#start;
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(this.#start);
  }

  /** Where to write the next bytes; ask before looking at the buffer, which this may replace. */
  #reserve(count: number): number {
    if (this.#start < count) {
      const used = this.length;
      const size = Math.max(this.#buffer.length * 2, used + count);
      const grown = Buffer.allocUnsafe(size);
      this.#buffer.copy(grown, size - used, this.#start);
      this.#buffer = grown;
      this.#start = size - used;
    }
    this.#start -= count;
    return this.#start;
  }

  /** A 64-bit integer in two's complement. */
  varint(value: number): void {
    if (value >= 0 && value < 128) {
      const at = this.#reserve(1);
      this.#buffer[at] = value;
      return;
    }
    const bytes: number[] = [];
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      let rest = value;
      while (rest >= 128) {
        bytes.push((rest % 128) | 128);
        rest = Math.floor(rest / 128);
      }
      bytes.push(rest);
    } else {
      let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
      while (rest >= 128n) {
        bytes.push(Number(rest & 127n) | 128);
        rest >>= 7n;
      }
      bytes.push(Number(rest));
    }
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    const at = this.#reserve(size);
    this.#buffer.write(value, at, size, 'utf8');
  }

  bytes(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }
}

/** Reads front to back. Throws StatusError 400 in the words of Kubernetes' decoder. */
export class Reader {
  readonly #bytes: Buffer;
  #position: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#position >= this.#end;
  }

  #varint(): { low: number; high: number } {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift >= 70) throw malformed('proto: integer overflow');
      if (this.#position >= this.#end) throw malformed('unexpected EOF');
      const byte = this.#bytes[this.#position++] as number;
      const bits = byte & 127;
      if (shift < 28) low += bits * 2 ** shift;
      else if (shift === 28) {
        low += (bits & 15) * 2 ** 28;
        high += bits >> 4;
      } else high += bits * 2 ** (shift - 32);
      if (byte < 128) return { low, high: high % TWO32 };
    }
  }

  unsigned(): number {
    const { low, high } = this.#varint();
    return high * TWO32 + low;
  }

  /** As exact as a double can be. */
  int64(): number {
    const { low, high } = this.#varint();
    if (high < 2 ** 31) return high * TWO32 + low;
    return low === 0 ? (high - TWO32) * TWO32 : (high - TWO32 + 1) * TWO32 - (TWO32 - low);
  }

  int32(): number {
    return this.#varint().low | 0;
  }

  double(): number {
    const at = this.#advance(8);
    return this.#bytes.readDoubleLE(at);
  }

  string(): string {
    const size = this.unsigned();
    const at = this.#advance(size);
    return this.#bytes.toString('utf8', at, at + size);
  }

  bytes(): Buffer {
    const size = this.unsigned();
    const at = this.#advance(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** A reader of the length-delimited part that comes next. */
  message(): Reader {
    const size = this.unsigned();
    const at = this.#advance(size);
    return new Reader(this.#bytes, at, at + size);
  }

  tag(): { number: number; wireType: number } {
    const tag = this.unsigned();
    const wireType = tag & 7;
    const number = Math.floor(tag / 8);
    if (number <= 0 || wireType === 4) throw malformed(`proto: illegal tag ${number} (wire type ${wireType})`);
    return { number, wireType };
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.#varint();
    else if (wireType === FIXED64) this.#advance(8);
    else if (wireType === BYTES) this.#advance(this.unsigned());
    else if (wireType === FIXED32) this.#advance(4);
    else throw malformed(`proto: illegal wireType ${wireType}`);
  }

  #advance(count: number): number {
    const at = this.#position;
    if (count > this.#end - at) throw malformed('unexpected EOF');
    this.#position = at + count;
    return at;
  }
}

export function malformed(message: string) {
  return badRequest(message);
}
