import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { prefixEnd, type Store } from '../../store/store.ts';
import { aesGcm } from './aes-gcm.ts';
import type { EncryptionConfiguration, EncryptionKey } from './encryption-configuration.ts';
import { startsWith, type ValueCipher } from './value-cipher.ts';

const KEY_BYTES = 32;
const SECRETS = '/registry/core/secrets/';
/** What keys that were made at a first boot are called, before their fingerprint. */
const KEY_NAME = 'k8ts-';
const PAGE = 500;

/**
 * The key that Secrets are encrypted with when nothing else is configured: kept in `file`, and made when there is none and
 * the store has nothing that was encrypted with such a key. Throws CodedError ENCRYPTION_KEY_MISSING or
 * ENCRYPTION_KEY_UNREADABLE.
 */
export async function openDefaultKey(file: string, store: Store): Promise<EncryptionKey> {
  const known = await readDefaultKey(file);
  if (known) return known;
  const lost = await encryptedWith(store);
  if (lost)
    throw new CodedError(
      'ENCRYPTION_KEY_MISSING',
      `the datastore has Secrets that are encrypted with the key ${lost}, and its file ${file} is not there`,
      'Restore the file from a backup (or from the server that wrote the Secrets); without it they are lost.',
    );
  const secret = randomBytes(KEY_BYTES);
  // Durable before anything is encrypted with it.
  await writeFile(`${file}.tmp`, `${secret.toString('base64')}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.tmp`, file);
  return named(secret);
}

/** The key in `file`; undefined when there is no file. Throws CodedError ENCRYPTION_KEY_UNREADABLE. */
export async function readDefaultKey(file: string): Promise<EncryptionKey | undefined> {
  try {
    const secret = Buffer.from((await readFile(file, 'utf8')).trim(), 'base64');
    if (secret.length !== KEY_BYTES) throw new Error(`it holds ${secret.length} bytes, not ${KEY_BYTES} as base64`);
    return named(secret);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CodedError(
      'ENCRYPTION_KEY_UNREADABLE',
      `the encryption key ${file} can't be used: ${(cause as Error).message}`,
      'Restore the file from a backup; without it the Secrets in the datastore are lost.',
      { cause },
    );
  }
}

/** Secrets are written with the key; those from before it are still read. */
export const defaultConfiguration = (key: EncryptionKey): EncryptionConfiguration => ({
  resources: [{ resources: ['secrets'], providers: [{ type: 'aesgcm', keys: [key] }, { type: 'identity' }] }],
});

export const defaultReader = ({ name, secret }: EncryptionKey): ValueCipher => aesGcm(name, secret);

/** The name tells keys apart without giving them away. */
function named(secret: Buffer): EncryptionKey {
  return { name: `${KEY_NAME}${createHash('sha256').update(secret).digest('hex').slice(0, 12)}`, secret };
}

/** The name of a default key that a stored Secret is encrypted with. */
async function encryptedWith(store: Store): Promise<string | undefined> {
  const prefix = `k8s:enc:aesgcm:v1:${KEY_NAME}`;
  for (let start = SECRETS; ; ) {
    const { kvs, more } = await store.range({ start, end: prefixEnd(SECRETS), limit: PAGE });
    const found = kvs.find(({ value }) => startsWith(value, prefix));
    if (found) return Buffer.from(found.value.subarray(0, 200)).toString('latin1').split(':')[4];
    const last = kvs[kvs.length - 1];
    if (!more || !last) return undefined;
    start = `${last.key}\0`;
  }
}
