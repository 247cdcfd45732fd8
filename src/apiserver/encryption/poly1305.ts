const PRIME = (1n << 130n) - 5n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;
const LOW_128 = (1n << 128n) - 1n;
const BLOCK_BYTES = 16;
/** About 2 ms of work; then others have a turn. */
const SLICE_BYTES = 64 * 1024;

/** The Poly1305 tag (RFC 8439, 2.5) of `message` under a one-time key of 32 bytes. */
export async function poly1305(key: Uint8Array, message: Uint8Array): Promise<Buffer> {
  const view = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const r = littleEndian(Buffer.from(key.subarray(0, 16))) & CLAMP;
  const s = littleEndian(Buffer.from(key.subarray(16, 32)));
  let sum = 0n;
  for (let at = 0; at < view.length; at += BLOCK_BYTES) {
    const size = Math.min(BLOCK_BYTES, view.length - at);
    const block = littleEndian(view.subarray(at, at + size)) | (1n << BigInt(8 * size));
    sum = ((sum + block) * r) % PRIME;
    if (at > 0 && at % SLICE_BYTES === 0) await new Promise(setImmediate);
  }
  const tag = (sum + s) & LOW_128;
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(tag & 0xffffffffffffffffn, 0);
  bytes.writeBigUInt64LE(tag >> 64n, 8);
  return bytes;
}

function littleEndian(bytes: Buffer): bigint {
  if (bytes.length === 16) return bytes.readBigUInt64LE(0) | (bytes.readBigUInt64LE(8) << 64n);
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}
