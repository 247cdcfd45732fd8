import type { Logger } from '../../../apimachinery/logger.ts';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../../sdk/authentication.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import { BoundedCache } from '../bounded-cache.ts';
import type { JwtAuthenticatorConfiguration } from '../configuration/authentication-configuration.ts';
import { parseToken } from '../token-keys.ts';
import { DistributedClaims } from './distributed-claims.ts';
import { IssuerClient } from './issuer-client.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { checkTerms } from './token-terms.ts';
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

interface IssuerAuthenticator {
  readonly configuration: JwtAuthenticatorConfiguration;
  readonly client: IssuerClient;
  readonly keys: IssuerKeys;
  readonly distributed: DistributedClaims;
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
        const distributed = new DistributedClaims({ configuration, client, logger: options.logger, now });
        return [issuer.url, { configuration, client, keys, distributed }];
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

  async #verify(
    { configuration, keys, distributed }: IssuerAuthenticator,
    token: string,
    claims: Claims,
  ): Promise<UserInfo> {
    const expires = checkTerms(configuration.issuer.audiences, claims, this.#now());
    try {
      await keys.verify(token);
    } catch (error) {
      throw new Error(`oidc: verify token: ${(error as Error).message}`, { cause: error });
    }
    const user = userOfClaims(configuration, await distributed.expand(claims));
    this.#known.set(token, {
      user,
      result: { user, audiences: this.#apiAudiences },
      until: Math.min(this.#now() + REMEMBER_MS, expires),
    });
    return user;
  }
}
