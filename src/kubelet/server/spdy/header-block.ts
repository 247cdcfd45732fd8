import { constants, inflateRawSync } from 'node:zlib';
import { HEADER_DICTIONARY } from './header-dictionary.ts';

/** Lower-case names. */
export type SpdyHeaders = Readonly<Record<string, string>>;

const WINDOW_BYTES = 32 * 1024;
const MAX_BLOCK_BYTES = 64 * 1024;
const MAX_STORED_BYTES = 0xffff;

/**
 * Reads the header blocks of one direction of a connection, in order: they are one zlib stream, flushed after each
 * block. So each begins at a byte, and needs nothing but the last 32 KiB of text before it.
 */
export class HeaderBlockReader {
  #window = HEADER_DICTIONARY;
  #begun = false;

  /** Throws for what is no header block. */
  read(block: Buffer): SpdyHeaders {
    let compressed = block;
    if (!this.#begun) {
      const presetDictionary = (block[1]! & 0x20) !== 0;
      compressed = block.subarray(presetDictionary ? 6 : 2);
      if (!presetDictionary) this.#window = Buffer.alloc(0);
      this.#begun = true;
    }
    const text = inflateRawSync(compressed, {
      ...(this.#window.length ? { dictionary: this.#window } : {}),
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: MAX_BLOCK_BYTES,
    });
    this.#window = Buffer.concat([this.#window, text]).subarray(-WINDOW_BYTES);
    return parse(text);
  }
}

/** What ends a flush of deflate: an empty part. Readers wait for it. */
const FLUSH_END = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** Writes header blocks as a zlib stream of stored (not compressed) parts: there are few, and small ones. */
export class HeaderBlockWriter {
  #begun = false;

  write(headers: SpdyHeaders): Buffer {
    const text = serialize(headers);
    if (text.length > MAX_STORED_BYTES) throw new RangeError('the headers are too large');
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(text.length, 1);
    stored.writeUInt16LE(text.length ^ 0xffff, 3);
    const start = this.#begun ? Buffer.alloc(0) : Buffer.from([0x78, 0x01]);
    this.#begun = true;
    return Buffer.concat([start, stored, text, FLUSH_END]);
  }
}

function parse(text: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {};
  let offset = 4;
  const next = () => {
    const length = text.readUInt32BE(offset);
    const end = offset + 4 + length;
    if (end > text.length) throw new RangeError('a header is longer than its block');
    const value = text.toString('utf8', offset + 4, end);
    offset = end;
    return value;
  };
  for (let count = text.readUInt32BE(0); count > 0; count--) {
    const name = next().toLowerCase();
    headers[name] = next();
  }
  return headers;
}

function serialize(headers: SpdyHeaders): Buffer {
  const parts = Object.entries(headers).flat();
  const bytes = Buffer.alloc(4 + parts.reduce((sum, part) => sum + 4 + Buffer.byteLength(part), 0));
  bytes.writeUInt32BE(parts.length / 2, 0);
  let offset = 4;
  for (const part of parts) {
    const length = bytes.write(part, offset + 4, 'utf8');
    bytes.writeUInt32BE(length, offset);
    offset += 4 + length;
  }
  return bytes;
}
