import type { Logger } from '../../../apimachinery/logger.ts';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../../sdk/authentication.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import { BoundedCache } from '../bounded-cache.ts';
import type { JwtAuthenticatorConfiguration } from '../configuration/authentication-configuration.ts';
import { parseToken } from '../token-keys.ts';
import { IssuerClient } from './issuer-client.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { type Claims, userOfClaims } from './user-of-claims.ts';

export interface JwtAuthenticatorOptions {
  readonly configurations: readonly JwtAuthenticatorConfiguration[];
  /** The API server's own: a TokenReview for others gets no user. */
  readonly apiAudiences: readonly string[];
  readonly logger: Logger;
  readonly now?: () => number;
}

/** A token that was accepted is not looked at again for this long. */
const REMEMBER_MS = 10_000;
/** How far ahead the issuer's clock may be. */
const NOT_BEFORE_LEEWAY_MS = 5 * 60_000;

interface IssuerAuthenticator {
  readonly configuration: JwtAuthenticatorConfiguration;
  readonly client: IssuerClient;
  readonly keys: IssuerKeys;
}

interface KnownToken {
  readonly user: UserInfo;
  readonly result: AuthenticationResult;
  readonly until: number;
}

/** Tokens of the issuers of an AuthenticationConfiguration. */
export class JwtAuthenticator implements Authenticator {
  readonly name = 'jwt';
  readonly #issuers: ReadonlyMap<string, IssuerAuthenticator>;
  readonly #apiAudiences: readonly string[];
  readonly #now: () => number;
  readonly #known = new BoundedCache<string, KnownToken>(4096);

  constructor(options: JwtAuthenticatorOptions) {
    const now = options.now ?? Date.now;
    this.#now = now;
    this.#apiAudiences = options.apiAudiences;
    this.#issuers = new Map(
      options.configurations.map((configuration) => {
        const { issuer } = configuration;
        const client = new IssuerClient(issuer);
        const keys = new IssuerKeys({ issuer, client, logger: options.logger, now });
        return [issuer.url, { configuration, client, keys }];
      }),
    );
  }

  authenticate(
    request: AuthenticationRequest,
  ): AuthenticationResult | undefined | Promise<AuthenticationResult | undefined> {
    const token = request.bearerToken;
    if (token === undefined || this.#issuers.size === 0) return undefined;
    const audiences = request.audiences?.length
      ? this.#apiAudiences.filter((audience) => request.audiences!.includes(audience))
      : this.#apiAudiences;
    if (audiences.length === 0) return undefined;
    const known = this.#known.use(token);
    if (known && this.#now() < known.until)
      return request.audiences?.length ? { user: known.user, audiences } : known.result;
    const parsed = parseToken(token);
    if (!parsed) return undefined;
    const claimed = parsed.claims.iss;
    const issuer = this.#issuers.get(
      claimed === 'accounts.google.com' ? 'https://accounts.google.com' : String(claimed),
    );
    if (!issuer) return undefined;
    return this.#verify(issuer, token, parsed.claims).then((user) => ({ user, audiences }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#issuers.values()].map(({ client }) => client.close()));
  }

  async #verify({ configuration, keys }: IssuerAuthenticator, token: string, claims: Claims): Promise<UserInfo> {
    const expires = this.#checkTerms(configuration, claims);
    try {
      await keys.verify(token);
    } catch (error) {
      throw new Error(`oidc: verify token: ${(error as Error).message}`, { cause: error });
    }
    const user = userOfClaims(configuration, claims);
    this.#known.set(token, {
      user,
      result: { user, audiences: this.#apiAudiences },
      until: Math.min(this.#now() + REMEMBER_MS, expires),
    });
    return user;
  }

  /** Audience and time; when the token expires, in ms. */
  #checkTerms({ issuer }: JwtAuthenticatorConfiguration, claims: Claims): number {
    const { aud, exp, nbf } = claims;
    const audiences = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud : [];
    if (!audiences.some((audience) => issuer.audiences.includes(audience)))
      throw new Error(
        `oidc: verify token: oidc: expected audience in ${JSON.stringify(issuer.audiences)} got ${JSON.stringify(audiences)}`,
      );
    const now = this.#now();
    const expires = typeof exp === 'number' ? exp * 1000 : 0;
    if (!(expires > now))
      throw new Error(`oidc: verify token: oidc: token is expired (Token Expiry: ${showTime(expires)})`);
    if (typeof nbf === 'number' && nbf * 1000 > now + NOT_BEFORE_LEEWAY_MS)
      throw new Error(
        `oidc: verify token: oidc: current time ${showTime(now)} before the nbf (not before) time: ${showTime(nbf * 1000)}`,
      );
    return expires;
  }
}

function showTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
