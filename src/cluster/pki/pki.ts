import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { type CertificateRequest, issueCertificate, type KeyPair, needsRenewal, newAuthority, newKey, signRequest } from './certificates.ts';

/** Keys and certificates of one cluster. */
export interface Pki {
  /** Signs everything but the front proxy; PEM. */
  readonly ca: KeyPair;
  /** Signs those who may name other users in request headers (aggregated API servers trust it). */
  readonly frontProxyCa: KeyPair;
  /** Signs ServiceAccount tokens; PEM. */
  readonly serviceAccountKey: string;
  /** A certificate of the cluster CA by name: kept in the directory and renewed when less than 30 % of its life is left. */
  certificate(name: string, request: CertificateRequest): Promise<KeyPair>;
  /** As `certificate`, of the front proxy's CA. */
  frontProxyCertificate(name: string, request: CertificateRequest): Promise<KeyPair>;
  /** Signs a PKCS#10 request (PEM) with the cluster CA; returns the certificate. The caller has judged the request. */
  signRequest(csr: string, options: { readonly usages: readonly ('client' | 'server')[]; readonly ttlMs: number }): Promise<string>;
}

export interface PkiOptions {
  /** 0700, keys in it 0600. Without one everything stays in memory. */
  readonly dir?: string;
  /** Unix time in ms. */
  readonly now?: () => number;
}

/** Loads what the directory has and makes what it lacks. Throws CodedError when a key there can't be read. */
export async function openPki({ dir, now = Date.now }: PkiOptions = {}): Promise<Pki> {
  const files = dir ? new KeyFiles(dir) : undefined;
  await files?.prepare();
  const authority = async (name: string, commonName: string) => (await files?.readPair(name)) ?? keepPair(files, name, await newAuthority(commonName, now()));
  const [ca, frontProxyCa, serviceAccountKey] = await Promise.all([
    authority('ca', 'kubernetes-ca'),
    authority('front-proxy-ca', 'front-proxy-ca'),
    (async () => {
      const known = await files?.read('sa.key');
      if (known) return known;
      const key = await newKey();
      await files?.write('sa.key', key);
      return key;
    })(),
  ]);
  const certificate = async (signer: KeyPair, name: string, request: CertificateRequest) => {
    const known = await files?.readPair(name);
    if (known && !needsRenewal(known.cert, request, now())) return known;
    return keepPair(files, name, await issueCertificate(signer, request, now()));
  };
  return {
    ca,
    frontProxyCa,
    serviceAccountKey,
    certificate: (name, request) => certificate(ca, name, request),
    frontProxyCertificate: (name, request) => certificate(frontProxyCa, name, request),
    signRequest: (csr, options) => signRequest(ca, csr, options, now()),
  };
}

async function keepPair(files: KeyFiles | undefined, name: string, pair: KeyPair): Promise<KeyPair> {
  await files?.write(`${name}.key`, pair.key);
  await files?.write(`${name}.crt`, pair.cert);
  return pair;
}

class KeyFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await chmod(this.#dir, 0o700);
  }

  async read(name: string): Promise<string | undefined> {
    const path = join(this.#dir, name);
    try {
      const text = await readFile(path, 'utf8');
      if (!text.includes('-----END ')) throw new Error('it is cut off');
      return text;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new CodedError('PKI_UNREADABLE', `${path} can't be used: ${(cause as Error).message}`, 'Restore the file from a backup, or start anew with another --data-dir.', { cause });
    }
  }

  async readPair(name: string): Promise<KeyPair | undefined> {
    const [cert, key] = await Promise.all([this.read(`${name}.crt`), this.read(`${name}.key`)]);
    return cert && key ? { cert, key } : undefined;
  }

  /** Whole or not at all, also when the machine stops in the middle. */
  async write(name: string, text: string): Promise<void> {
    const path = join(this.#dir, name);
    await writeFile(`${path}.tmp`, text, { mode: 0o600, flush: true });
    await rename(`${path}.tmp`, path);
  }
}
