import { createHmac, randomBytes } from 'node:crypto';
import type { Logger } from '../../../apimachinery/logger.ts';
import { openGcm, sealGcm } from '../aes-gcm.ts';
import type { KmsConfiguration } from '../encryption-configuration.ts';
import type { ValueCipher } from '../value-cipher.ts';
import {
  checkDekSource,
  checkKeyId,
  decodeEncryptedObject,
  type EncryptedObject,
  encodeEncryptedObject,
  SOURCE,
} from './encrypted-object.ts';
import type { KmsMetrics } from './kms-metrics.ts';
import { connectKms, type KmsService } from './kms-service.ts';

export interface KmsProviderOptions extends KmsConfiguration {
  readonly logger: Logger;
  readonly metrics?: KmsMetrics;
  /** Unix time in ms. */
  readonly now?: () => number;
}

/** The seed that values are encrypted with at the moment. */
interface WriteState {
  readonly seed: Buffer;
  readonly keyId: string;
  readonly encryptedDekSource: Uint8Array;
  readonly annotations: Readonly<Record<string, Uint8Array>>;
}

interface KnownDek {
  readonly key: Promise<Buffer> | Buffer;
  readonly since: number;
}

const SEED_BYTES = 32;
const INFO_BYTES = 32;
/** How often the plugin is asked for its state, when it is well and when it is not. */
const HEALTHY_INTERVAL_MS = 60_000;
const FAILING_INTERVAL_MS = 10_000;
/** How long a seed may be written with while the plugin does not answer. */
const WRITE_TTL_MS = 3 * 60_000;
const DEK_TTL_MS = 24 * 3_600_000;

/**
 * Envelope encryption with a KMS v2 plugin. Values are encrypted with keys derived from a seed, which the plugin encrypts
 * once per key ID of its own; the plugin is asked again only for seeds that this process has not seen.
 */
export class KmsProvider implements ValueCipher {
  readonly name: string;
  readonly prefix: string;
  readonly #head: Buffer;
  readonly #service: KmsService;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #deks = new Map<string, KnownDek>();
  #state: WriteState | undefined;
  #writableUntil = 0;
  #checked: { readonly at: number; readonly error: Error | undefined } | undefined;
  #checking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: KmsProviderOptions) {
    this.name = options.name;
    this.prefix = `k8s:enc:kms:v2:${options.name}:`;
    this.#head = Buffer.from(this.prefix);
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
    const service = connectKms(options.endpoint, options.timeoutMs);
    this.#service = options.metrics?.counted(options.name, service) ?? service;
  }

  /** Rejects while the plugin is not well. Its last answer counts for a while. */
  async check(): Promise<void> {
    const interval = this.#checked?.error ? FAILING_INTERVAL_MS : HEALTHY_INTERVAL_MS;
    if (!this.#checked || this.#now() - this.#checked.at >= interval) await this.refresh();
    if (this.#checked?.error) throw this.#checked.error;
  }

  /** Asks the plugin for its state now, and makes a new seed when its key ID is another. Never rejects. */
  refresh(): Promise<void> {
    this.#checking ??= this.#refresh().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #refresh(): Promise<void> {
    let error: Error | undefined;
    try {
      const { healthz, version, keyId } = await this.#service.status();
      if (healthz !== 'ok') throw new Error(`got unexpected healthz status: ${healthz}`);
      if (version !== 'v2' && version !== 'v2beta1')
        throw new Error(`unsupported KMSv2 API version ${version}, expected v2 or v2beta1`);
      checkKeyId(keyId);
      if (this.#state?.keyId !== keyId) await this.#newSeed();
      this.#writableUntil = this.#now() + WRITE_TTL_MS;
    } catch (cause) {
      error = cause as Error;
      if (!this.#closed) this.#logger.warn({ err: error, plugin: this.name }, 'the KMS plugin is not well');
    }
    this.#checked = { at: this.#now(), error };
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.refresh(), error ? FAILING_INTERVAL_MS : HEALTHY_INTERVAL_MS);
    this.#timer.unref();
  }

  async #newSeed(): Promise<void> {
    const seed = randomBytes(SEED_BYTES);
    const { ciphertext, keyId, annotations } = await this.#service.encrypt(seed);
    const state = { seed, keyId, encryptedDekSource: ciphertext, annotations };
    checkDekSource(state);
    this.#state = state;
    this.#remember(dekId({ ...state, sourceType: SOURCE.hkdfSeed }), seed);
  }

  seal(plain: Uint8Array, key: string): Uint8Array | Promise<Uint8Array> {
    if (this.#state && this.#now() < this.#writableUntil) return this.#seal(this.#state, plain, key);
    return this.refresh().then(() => {
      if (this.#state && this.#now() < this.#writableUntil) return this.#seal(this.#state, plain, key);
      throw new Error(
        `the KMS plugin ${this.name} can't encrypt: ${this.#checked?.error?.message ?? 'it is not ready'}`,
      );
    });
  }

  #seal({ seed, keyId, encryptedDekSource, annotations }: WriteState, plain: Uint8Array, key: string): Uint8Array {
    const info = randomBytes(INFO_BYTES);
    const encryptedData = Buffer.concat([info, ...sealGcm(derivedKey(seed, info), plain, key)]);
    const object = { encryptedData, keyId, encryptedDekSource, annotations, sourceType: SOURCE.hkdfSeed };
    return Buffer.concat([this.#head, encodeEncryptedObject(object)]);
  }

  open(sealed: Uint8Array, key: string): Uint8Array | Promise<Uint8Array> {
    const object = decodeEncryptedObject(sealed);
    const dek = this.#dekOf(object);
    return dek instanceof Promise ? dek.then((known) => openObject(object, known, key)) : openObject(object, dek, key);
  }

  isCurrent(sealed: Uint8Array): boolean {
    const { keyId, sourceType } = decodeEncryptedObject(sealed);
    return keyId === this.#state?.keyId && sourceType === SOURCE.hkdfSeed;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#service.close();
  }

  #dekOf(object: EncryptedObject): Promise<Buffer> | Buffer {
    const id = dekId(object);
    const known = this.#deks.get(id);
    if (known && this.#now() - known.since < DEK_TTL_MS) return known.key;
    const { encryptedDekSource: ciphertext, keyId, annotations } = object;
    const asked = this.#service.decrypt({ ciphertext, keyId, annotations }).then(
      (key) => {
        this.#remember(id, key);
        return key;
      },
      (cause: Error) => {
        this.#deks.delete(id);
        throw new Error(`failed to decrypt DEK, error: ${cause.message}`, { cause });
      },
    );
    // Whoever reads the next value of the same key waits for the same answer.
    this.#deks.set(id, { key: asked, since: this.#now() });
    return asked;
  }

  #remember(id: string, key: Buffer): void {
    const now = this.#now();
    for (const [other, { since }] of this.#deks) {
      if (now - since < DEK_TTL_MS) break;
      this.#deks.delete(other);
    }
    this.#deks.delete(id);
    this.#deks.set(id, { key, since: now });
  }
}

function openObject({ encryptedData, sourceType }: EncryptedObject, dek: Buffer, key: string): Buffer {
  if (sourceType === SOURCE.aesGcmKey) return openGcm(dek, encryptedData, key);
  if (encryptedData.length < INFO_BYTES) throw new Error('the stored data was shorter than the required size');
  if (dek.length < SEED_BYTES) throw new Error(`invalid seed length ${dek.length} used for key generation`);
  return openGcm(derivedKey(dek, encryptedData.subarray(0, INFO_BYTES)), encryptedData.subarray(INFO_BYTES), key);
}

/** HKDF-Expand (RFC 5869, 2.3) with SHA-256 to 32 bytes, which is one block of it. */
function derivedKey(seed: Buffer, info: Uint8Array): Buffer {
  return createHmac('sha256', seed).update(info).update(Buffer.of(1)).digest();
}

function dekId({ sourceType, encryptedDekSource, keyId, annotations }: Omit<EncryptedObject, 'encryptedData'>): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const notes = Object.keys(annotations)
    .sort()
    .map((name) => [name, base64(annotations[name]!)]);
  return JSON.stringify([sourceType, base64(encryptedDekSource), keyId, notes]);
}
