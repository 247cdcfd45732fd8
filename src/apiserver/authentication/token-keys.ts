import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export interface TokenKeysOptions {
  /** Signs new tokens: PEM (or KeyObject) of an EC P-256 or P-384, or an RSA key. */
  readonly signingKey: string | KeyObject;
  /** Public or private keys whose tokens are accepted besides the signing key's: the old ones of a rotation. */
  readonly verificationKeys?: readonly (string | KeyObject)[];
}

interface VerificationKey {
  readonly id: string;
  readonly algorithm: TokenAlgorithm;
  readonly publicKey: KeyObject;
}

type TokenAlgorithm = 'ES256' | 'ES384' | 'RS256';

const HASHES: Readonly<Record<TokenAlgorithm, string>> = { ES256: 'sha256', ES384: 'sha384', RS256: 'sha256' };

/** The keys of ServiceAccount tokens: signs and verifies JSON web tokens in the compact form. */
export class TokenKeys {
  readonly #privateKey: KeyObject;
  readonly #signing: VerificationKey;
  readonly #keys = new Map<string, VerificationKey>();
  readonly #header: string;

  constructor(options: TokenKeysOptions) {
    this.#privateKey =
      typeof options.signingKey === 'string' ? createPrivateKey(options.signingKey) : options.signingKey;
    this.#signing = verificationKey(createPublicKey(this.#privateKey));
    this.#keys.set(this.#signing.id, this.#signing);
    for (const source of options.verificationKeys ?? []) {
      const key = verificationKey(
        typeof source === 'string' || source.type === 'private' ? createPublicKey(source) : source,
      );
      this.#keys.set(key.id, key);
    }
    this.#header = encode({ alg: this.#signing.algorithm, kid: this.#signing.id });
  }

  sign(claims: object): string {
    const input = `${this.#header}.${encode(claims)}`;
    const { algorithm } = this.#signing;
    const key =
      algorithm === 'RS256' ? this.#privateKey : ({ key: this.#privateKey, dsaEncoding: 'ieee-p1363' } as const);
    return `${input}.${sign(HASHES[algorithm], Buffer.from(input), key).toString('base64url')}`;
  }

  /** True when one of the keys signed it. Says nothing about its claims. */
  verify(token: ParsedToken): boolean {
    const candidates = token.header.kid === undefined ? [...this.#keys.values()] : [this.#keys.get(token.header.kid)];
    return candidates.some((candidate) => {
      if (!candidate || candidate.algorithm !== token.header.alg) return false;
      const key =
        candidate.algorithm === 'RS256'
          ? candidate.publicKey
          : ({ key: candidate.publicKey, dsaEncoding: 'ieee-p1363' } as const);
      return verify(HASHES[candidate.algorithm], Buffer.from(token.signingInput), key, token.signature);
    });
  }

  get algorithms(): readonly string[] {
    return [...new Set([...this.#keys.values()].map((key) => key.algorithm))];
  }

  /** A JSON web key set of the public keys, the signing key first. */
  jwks(): { readonly keys: readonly object[] } {
    return {
      keys: [...this.#keys.values()].map(({ id, algorithm, publicKey }) => ({
        use: 'sig',
        ...publicKey.export({ format: 'jwk' }),
        kid: id,
        alg: algorithm,
      })),
    };
  }
}

export interface ParsedToken {
  readonly header: { readonly alg?: string; readonly kid?: string };
  readonly claims: { readonly [claim: string]: unknown };
  readonly signingInput: string;
  readonly signature: Buffer;
}

/** Splits and decodes a compact JSON web token; undefined when it is none. Nothing is verified. */
export function parseToken(token: string): ParsedToken | undefined {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first <= 0 || second < 0 || token.length > 65_536 || token.indexOf('.', second + 1) >= 0) return undefined;
  try {
    const header: unknown = JSON.parse(Buffer.from(token.slice(0, first), 'base64url').toString('utf8'));
    const claims: unknown = JSON.parse(Buffer.from(token.slice(first + 1, second), 'base64url').toString('utf8'));
    if (!isRecord(header) || !isRecord(claims)) return undefined;
    return {
      header,
      claims,
      signingInput: token.slice(0, second),
      signature: Buffer.from(token.slice(second + 1), 'base64url'),
    };
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function verificationKey(publicKey: KeyObject): VerificationKey {
  const id = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return { id, algorithm: algorithmOf(publicKey), publicKey };
}

function algorithmOf(key: KeyObject): TokenAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const curve = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : undefined;
  if (curve === 'prime256v1') return 'ES256';
  if (curve === 'secp384r1') return 'ES384';
  throw new Error(
    `ServiceAccount tokens are signed with an EC P-256, EC P-384 or RSA key, not ${curve ?? key.asymmetricKeyType}`,
  );
}
