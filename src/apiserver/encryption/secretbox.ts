import { randomBytes, timingSafeEqual } from 'node:crypto';
import { poly1305 } from './poly1305.ts';
import type { ValueCipher } from './value-cipher.ts';
import { xsalsa20 } from './xsalsa20.ts';

const NONCE_BYTES = 24;
const TAG_BYTES = 16;
/** The first bytes of the key stream are the key of the tag. */
const TAG_KEY_BYTES = 32;

/** NaCl's secretbox (XSalsa20 and Poly1305) with a random nonce: nonce, tag, ciphertext. */
export function secretbox(keyName: string, secret: Buffer): ValueCipher {
  const prefix = `k8s:enc:secretbox:v1:${keyName}:`;
  const head = Buffer.from(prefix);
  return {
    prefix,
    async seal(plain) {
      const nonce = randomBytes(NONCE_BYTES);
      return Buffer.concat([head, nonce, await sealBox(secret, nonce, plain)]);
    },
    async open(sealed) {
      if (sealed.length < NONCE_BYTES + TAG_BYTES)
        throw new Error('the stored data was shorter than the required size');
      const plain = await openBox(secret, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES));
      if (!plain) throw new Error('secretbox: failed to decrypt');
      return plain;
    },
  };
}

/** Tag and ciphertext, as `crypto_secretbox_easy` makes them. */
export async function sealBox(secret: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Promise<Buffer> {
  const padded = Buffer.concat([Buffer.alloc(TAG_KEY_BYTES), plain]);
  xsalsa20(secret, nonce, padded);
  const ciphertext = padded.subarray(TAG_KEY_BYTES);
  return Buffer.concat([await poly1305(padded.subarray(0, TAG_KEY_BYTES), ciphertext), ciphertext]);
}

/** Undefined when the tag is not that of the key. */
export async function openBox(secret: Uint8Array, nonce: Uint8Array, box: Uint8Array): Promise<Buffer | undefined> {
  const padded = Buffer.concat([Buffer.alloc(TAG_KEY_BYTES), box.subarray(TAG_BYTES)]);
  xsalsa20(secret, nonce, padded);
  const tag = await poly1305(padded.subarray(0, TAG_KEY_BYTES), box.subarray(TAG_BYTES));
  return timingSafeEqual(tag, box.subarray(0, TAG_BYTES)) ? padded.subarray(TAG_KEY_BYTES) : undefined;
}
