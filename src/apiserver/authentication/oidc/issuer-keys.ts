import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import type { Logger } from '../../../apimachinery/logger.ts';
import type { Issuer } from '../configuration/authentication-configuration.ts';
import type { IssuerClient } from './issuer-client.ts';

/** What upstream accepts of configured issuers. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'];
/** Known keys are asked for again after this long; until the answer is there, and when there is none, the old ones hold. */
const MAX_AGE_MS = 10 * 60_000;
/** A key that is not known leads to one question in this time. */
const COOLDOWN_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;

type Jose = typeof import('jose');

interface KnownKeys {
  readonly resolve: JWTVerifyGetKey;
  readonly fetchedAt: number;
}

/**
 * The signing keys of an issuer, found by OpenID discovery when the first token comes. A failure is not asked about again
 * before some time has passed, which doubles up to 10 s.
 */
export class IssuerKeys {
  readonly #issuer: Issuer;
  readonly #client: IssuerClient;
  readonly #logger: Logger;
  readonly #now: () => number;
  #known: KnownKeys | undefined;
  #fetching: Promise<KnownKeys> | undefined;
  #failure: { readonly error: Error; readonly retryAt: number; readonly delay: number } | undefined;

  constructor(options: {
    readonly issuer: Issuer;
    readonly client: IssuerClient;
    readonly logger: Logger;
    readonly now: () => number;
  }) {
    this.#issuer = options.issuer;
    this.#client = options.client;
    this.#logger = options.logger;
    this.#now = options.now;
  }

  /** Rejects unless one of the issuer's keys signed `token`. Says nothing about its claims. */
  async verify(token: string): Promise<void> {
    const jose = await import('jose');
    const known = this.#known ?? (await this.#fetch(jose));
    try {
      await verifyWith(jose, token, known.resolve);
    } catch (error) {
      const code = (error as { code?: string }).code;
      const mayBeNewKey = code === 'ERR_JWKS_NO_MATCHING_KEY' || code === 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED';
      if (!mayBeNewKey || this.#now() - known.fetchedAt < COOLDOWN_MS) throw error;
      await verifyWith(jose, token, (await this.#fetch(jose)).resolve);
      return;
    }
    if (this.#now() - known.fetchedAt > MAX_AGE_MS)
      this.#fetch(jose).catch((error) =>
        this.#logger.warn({ err: error, issuer: this.#issuer.url }, 'the keys of an issuer were not refreshed'),
      );
  }

  #fetch(jose: Jose): Promise<KnownKeys> {
    if (this.#failure && this.#now() < this.#failure.retryAt) return Promise.reject(this.#failure.error);
    this.#fetching ??= this.#discover(jose)
      .then(
        (known) => {
          this.#failure = undefined;
          this.#known = known;
          return known;
        },
        (cause: unknown) => {
          const error = new Error(`oidc: authenticator not initialized: ${(cause as Error).message}`, { cause });
          const delay = Math.min(this.#failure ? this.#failure.delay * 2 : FIRST_RETRY_MS, LAST_RETRY_MS);
          this.#failure = { error, delay, retryAt: this.#now() + delay };
          throw error;
        },
      )
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #discover(jose: Jose): Promise<KnownKeys> {
    const { url, discoveryURL } = this.#issuer;
    const document = await this.#client.get(
      discoveryURL ?? `${url.replace(/\/$/, '')}/.well-known/openid-configuration`,
    );
    if (document.issuer !== url)
      throw new Error(
        `oidc: issuer did not match the issuer returned by provider, expected ${JSON.stringify(url)} got ${JSON.stringify(document.issuer)}`,
      );
    if (typeof document.jwks_uri !== 'string') throw new Error('oidc: the provider names no jwks_uri');
    const keySet = await this.#client.get(document.jwks_uri);
    return { resolve: jose.createLocalJWKSet(keySet as unknown as JSONWebKeySet), fetchedAt: this.#now() };
  }
}

async function verifyWith(jose: Jose, token: string, resolve: JWTVerifyGetKey): Promise<void> {
  const options = { algorithms: ALGORITHMS };
  try {
    await jose.compactVerify(token, resolve, options);
  } catch (error) {
    if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
    // A token without key id fits several keys.
    for await (const key of error) {
      const verified = await jose.compactVerify(token, key, options).catch(() => undefined);
      if (verified) return;
    }
    throw new jose.errors.JWSSignatureVerificationFailed();
  }
}
