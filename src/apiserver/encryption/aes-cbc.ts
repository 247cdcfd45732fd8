import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { ValueCipher } from './value-cipher.ts';

const BLOCK_BYTES = 16;

/** AES-CBC with a random IV and PKCS#7 padding: it hides values and does not protect them from being changed. */
export function aesCbc(keyName: string, secret: Buffer): ValueCipher {
  const prefix = `k8s:enc:aescbc:v1:${keyName}:`;
  const head = Buffer.from(prefix);
  const algorithm = `aes-${secret.length * 8}-cbc`;
  return {
    prefix,
    seal(plain) {
      const iv = randomBytes(BLOCK_BYTES);
      const cipher = createCipheriv(algorithm, secret, iv);
      return Buffer.concat([head, iv, cipher.update(plain), cipher.final()]);
    },
    open(sealed) {
      if (sealed.length < BLOCK_BYTES) throw new Error('the stored data was shorter than the required size');
      if (sealed.length % BLOCK_BYTES) throw new Error('the stored data is not a multiple of the block size');
      const decipher = createDecipheriv(algorithm, secret, sealed.subarray(0, BLOCK_BYTES));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(BLOCK_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new Error('invalid padding on input', { cause });
      }
    },
  };
}
