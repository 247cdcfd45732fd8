import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { ValueCipher } from './value-cipher.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-GCM with a random nonce: nonce, ciphertext, tag. The store key is authenticated data. */
export function aesGcm(keyName: string, secret: Buffer): ValueCipher {
  const prefix = `k8s:enc:aesgcm:v1:${keyName}:`;
  const head = Buffer.from(prefix);
  return {
    prefix,
    seal: (plain, key) => Buffer.concat([head, ...sealGcm(secret, plain, key)]),
    open: (sealed, key) => openGcm(secret, sealed, key),
  };
}

/** Nonce, ciphertext and tag. */
export function sealGcm(secret: Buffer, plain: Uint8Array, authenticated: string): readonly Buffer[] {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(algorithm(secret), secret, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(authenticated));
  return [nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
}

export function openGcm(secret: Buffer, sealed: Uint8Array, authenticated: string): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('the stored data was shorter than the required size');
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(algorithm(secret), secret, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(authenticated));
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(NONCE_BYTES, end));
  try {
    decipher.final();
  } catch (cause) {
    throw new Error('cipher: message authentication failed', { cause });
  }
  return plain;
}

const algorithm = (secret: Buffer) => `aes-${(secret.length * 8) as 128 | 192 | 256}-gcm` as const;
