import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { defect, isDue, needsRenewal } from './certificate-check.ts';
import type { CertificateRequest, KeyPair, SigningOptions } from './certificate-request.ts';
import type { Signer } from './certificates.ts';
import { KeyFiles } from './key-files.ts';

export type { CertificateRequest, KeyPair };

/** Keys and certificates of one cluster. What nobody asks for is not made. */
export interface Pki {
  /** Signs everything but the front proxy; PEM. */
  readonly ca: KeyPair;
  /** Signs those who may name other users in request headers (aggregated API servers trust it). */
  readonly frontProxyCa: KeyPair;
  /** Signs ServiceAccount tokens; PEM. */
  readonly serviceAccountKey: string;
  /** A certificate of the cluster CA by name: kept, and renewed when less than 30 % of its life is left. */
  certificate(name: string, request: CertificateRequest): Promise<KeyPair>;
  /** As `certificate`, of the front proxy's CA. */
  frontProxyCertificate(name: string, request: CertificateRequest): Promise<KeyPair>;
  /** A certificate of the cluster CA that is not kept. */
  issue(request: CertificateRequest): Promise<KeyPair>;
  /**
   * Signs a PKCS#10 request (PEM) with the cluster CA; returns the certificate. The caller has judged the request. Throws
   * CodedError CSR_INVALID.
   */
  signRequest(csr: string, options: SigningOptions): Promise<string>;
  /** Renews the authorities (with their keys: what they signed stays valid) and certificates that are due; their names. */
  rotateIfNeeded(): Promise<readonly string[]>;
}

/** What the components of a node need of it: on an agent the server's authority signs. */
export interface NodePki extends Pick<Pki, 'certificate' | 'rotateIfNeeded'> {
  readonly ca: Pick<KeyPair, 'cert'>;
}

export interface PkiOptions {
  /** 0700, keys in it 0600. Without one everything stays in memory. */
  readonly dir?: string;
  /** Unix time in ms. */
  readonly now?: () => number;
}

/** Loads what the directory has and makes what it lacks. Throws CodedError PKI_UNREADABLE when a key there can't be used. */
export async function openPki({ dir, now = Date.now }: PkiOptions = {}): Promise<Pki> {
  const files = dir === undefined ? undefined : new KeyFiles(dir);
  await files?.prepare();
  const [ca, frontProxyCa, serviceAccountKey] = await Promise.all([
    Authority.open('ca', 'kubernetes', files, now),
    Authority.open('front-proxy-ca', 'front-proxy-ca', files, now),
    openServiceAccountKey(files),
  ]);
  return {
    get ca() {
      return ca.pair;
    },
    get frontProxyCa() {
      return frontProxyCa.pair;
    },
    serviceAccountKey,
    certificate: (name, request) => ca.certificate(name, request),
    frontProxyCertificate: (name, request) => frontProxyCa.certificate(name, request),
    issue: async (request) => (await ca.signer()).issue(request, now()),
    signRequest: async (csr, options) => (await ca.signer()).signRequest(csr, options, now()),
    rotateIfNeeded: async () => [...(await ca.rotate()), ...(await frontProxyCa.rotate())],
  };
}

interface Kept {
  readonly request: CertificateRequest;
  readonly pair: Promise<KeyPair>;
}

/** One CA and the certificates of it that are kept by name. */
class Authority {
  readonly #name: string;
  readonly #commonName: string;
  readonly #files: KeyFiles | undefined;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  #signer: Promise<Signer> | undefined;
  pair: KeyPair;

  private constructor(name: string, commonName: string, files: KeyFiles | undefined, now: () => number, pair: KeyPair) {
    this.#name = name;
    this.#commonName = commonName;
    this.#files = files;
    this.#now = now;
    this.pair = pair;
  }

  static async open(
    name: string,
    commonName: string,
    files: KeyFiles | undefined,
    now: () => number,
  ): Promise<Authority> {
    const stored = await files?.readPair(name);
    // A new authority in place of a broken one would lock everybody out.
    const broken = stored && defect(stored);
    if (broken) throw files?.unusable(`${name}.crt`, broken);
    const authority = new Authority(name, commonName, files, now, stored ?? { cert: '', key: '' });
    if (!stored || isDue(stored.cert, now())) await authority.#renew(stored?.key);
    return authority;
  }

  signer(): Promise<Signer> {
    this.#signer ??= import('./certificates.ts').then(({ openSigner }) => openSigner(this.pair));
    return this.#signer;
  }

  async certificate(name: string, request: CertificateRequest): Promise<KeyPair> {
    const known = this.#kept.get(name);
    const pair = known && (await known.pair.catch(() => undefined));
    if (pair && !this.#needsRenewal(pair, request)) return pair;
    // Somebody else may have begun meanwhile.
    const begun = this.#kept.get(name);
    if (begun && begun !== known) return this.certificate(name, request);
    const kept = { request, pair: this.#loadOrIssue(name, request) };
    this.#kept.set(name, kept);
    return kept.pair;
  }

  async rotate(): Promise<string[]> {
    const renewed: string[] = [];
    if (isDue(this.pair.cert, this.#now())) {
      await this.#renew(this.pair.key);
      renewed.push(this.#name);
    }
    for (const [name, kept] of [...this.#kept]) {
      const pair = await kept.pair.catch(() => undefined);
      if (pair && (await this.certificate(name, kept.request)) !== pair) renewed.push(name);
    }
    return renewed;
  }

  async #loadOrIssue(name: string, request: CertificateRequest): Promise<KeyPair> {
    const stored = await this.#files?.readPair(name).catch(() => undefined);
    if (stored && !this.#needsRenewal(stored, request)) return stored;
    const pair = await (await this.signer()).issue(request, this.#now());
    await this.#files?.writePair(name, pair);
    return pair;
  }

  async #renew(key: string | undefined): Promise<void> {
    const { newAuthority } = await import('./certificates.ts');
    const pair = await newAuthority(this.#commonName, this.#now(), key);
    await this.#files?.writePair(this.#name, pair);
    this.pair = pair;
    this.#signer = undefined;
  }

  #needsRenewal(pair: KeyPair, request: CertificateRequest): boolean {
    return needsRenewal(pair, request, this.pair, this.#now());
  }
}

async function openServiceAccountKey(files: KeyFiles | undefined): Promise<string> {
  const known = await files?.read('sa.key');
  if (known) {
    try {
      createPrivateKey(known);
    } catch (cause) {
      throw files?.unusable('sa.key', 'it is no PEM of a private key', cause);
    }
    return known;
  }
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  await files?.write('sa.key', privateKey);
  return privateKey;
}
