import type { Entry } from '../watch-cache/entry.ts';

/** A growing buffer for joining stored bytes and text. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  /** Memory to begin with, or how much of it. */
  constructor(memory: Buffer | number) {
    this.#buffer = typeof memory === 'number' ? Buffer.allocUnsafe(memory) : memory;
  }

  /** All that it holds, written to or not. */
  get memory(): Buffer {
    return this.#buffer;
  }

  get length(): number {
    return this.#length;
  }

  text(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.utf8Write(text, this.#length);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = byte;
  }

  entry(entry: Entry): void {
    this.#reserve(entry.byteLength);
    this.#length = entry.writeTo(this.#buffer, this.#length);
  }

  metadata(entry: Entry): void {
    this.#reserve(entry.metadataLength);
    this.#length = entry.writeMetadataTo(this.#buffer, this.#length);
  }

  /** What was written so far. It is the writer's own memory. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Starts over in the same memory: nobody looks at the last `view` any more. */
  reuse(): void {
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

/** Chunks of large answers are about this long; a chunk's memory has room for what is written beyond. */
export const CHUNK_BYTES = 256 * 1024;
const CHUNK_MEMORY = CHUNK_BYTES + 64 * 1024;
const MAX_FREE = 8;

/** Lends memory for the chunks of large answers again and again: fresh pages are dear. */
export class ChunkMemory {
  readonly #free: Buffer[] = [];

  take(): ByteWriter {
    return new ByteWriter(this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_MEMORY));
  }

  /** Nobody reads what `writer` holds any more. */
  giveBack({ memory }: ByteWriter): void {
    if (memory.length === CHUNK_MEMORY && this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}

declare global {
  interface Buffer {
    /** Node's own fast path of `write(text, offset, 'utf8')`. */
    utf8Write(text: string, offset?: number): number;
    latin1Write(text: string, offset?: number): number;
  }
}
