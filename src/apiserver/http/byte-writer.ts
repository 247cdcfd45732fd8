import type { Entry } from '../watch-cache/entry.ts';

/** A growing buffer for joining stored bytes and text. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.#length;
  }

  text(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.utf8Write(text, this.#length);
  }

  entry(entry: Entry): void {
    this.#reserve(entry.byteLength);
    this.#length = entry.writeTo(this.#buffer, this.#length);
  }

  metadata(entry: Entry): void {
    this.#reserve(entry.metadataLength);
    this.#length = entry.writeMetadataTo(this.#buffer, this.#length);
  }

  /** What was written so far. It is the writer's own memory until `renew`. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Starts over in the same memory: nobody looks at the last `view` any more. */
  reuse(): void {
    this.#length = 0;
  }

  /** Starts over with memory of its own. */
  renew(size: number): void {
    this.#buffer = Buffer.allocUnsafe(size);
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

declare global {
  interface Buffer {
    /** Node's own fast path of `write(text, offset, 'utf8')`. */
    utf8Write(text: string, offset?: number): number;
    latin1Write(text: string, offset?: number): number;
  }
}
