import type { Logger } from '../../../apimachinery/logger.ts';
import { BoundedCache } from '../bounded-cache.ts';
import type { JwtAuthenticatorConfiguration } from '../configuration/authentication-configuration.ts';
import { parseToken } from '../token-keys.ts';
import type { IssuerClient } from './issuer-client.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { checkTerms } from './token-terms.ts';
import type { Claims } from './user-of-claims.ts';

export interface DistributedClaimsOptions {
  readonly configuration: JwtAuthenticatorConfiguration;
  /** Asks the other issuers too, and trusts the same authority. */
  readonly client: IssuerClient;
  readonly logger: Logger;
  readonly now: () => number;
}

const MAX_ISSUERS = 16;

/**
 * Groups that a token does not hold but says where to get (OpenID Connect Core 1.0, 5.6.2): another token, of an issuer of
 * its own. Failures are thrown in upstream's words.
 */
export class DistributedClaims {
  readonly #options: DistributedClaimsOptions;
  readonly #claim: string | undefined;
  readonly #keys = new BoundedCache<string, IssuerKeys>(MAX_ISSUERS);

  constructor(options: DistributedClaimsOptions) {
    this.#options = options;
    const { groups } = options.configuration.claimMappings;
    this.#claim = groups && 'claim' in groups ? groups.claim : undefined;
  }

  /** `claims` of a verified token, with the groups. */
  async expand(claims: Claims): Promise<Claims> {
    const claim = this.#claim;
    if (!claim || Object.hasOwn(claims, claim)) return claims;
    const source = sourceOf(claims, claim);
    return source ? { ...claims, [claim]: await this.#fetch(claim, source.endpoint, source.accessToken) } : claims;
  }

  async #fetch(claim: string, endpoint: string, accessToken: string | undefined): Promise<unknown> {
    const { configuration, client, now } = this.#options;
    const headers: Record<string, string> = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
    const token = await client.text(secure(endpoint), headers).catch((error: Error) => {
      throw new Error(`oidc: while getting distributed claim ${JSON.stringify(claim)}: ${error.message}`);
    });
    const parsed = parseToken(token.trim());
    if (typeof parsed?.claims.iss !== 'string')
      throw new Error(
        `oidc: getting untrusted issuer from endpoint ${endpoint} failed for claim ${JSON.stringify(claim)}`,
      );
    try {
      checkTerms(configuration.issuer.audiences, parsed.claims, now());
      await this.#keysOf(parsed.claims.iss).verify(token.trim());
    } catch (error) {
      throw new Error(`oidc: verify distributed claim token: ${(error as Error).message}`, { cause: error });
    }
    if (!Object.hasOwn(parsed.claims, claim))
      throw new Error(
        `oidc: jwt returned by distributed claim endpoint ${JSON.stringify(endpoint)} did not contain claim: ${claim}`,
      );
    return parsed.claims[claim];
  }

  #keysOf(issuer: string): IssuerKeys {
    let keys = this.#keys.use(issuer);
    if (!keys) {
      const { configuration, client, logger, now } = this.#options;
      const { discoveryURL: _, ...own } = configuration.issuer;
      keys = new IssuerKeys({ issuer: { ...own, url: secure(issuer) }, client, logger, now });
      this.#keys.set(issuer, keys);
    }
    return keys;
  }
}

/** Undefined: the claim is nowhere, or aggregated, which is not heeded. */
function sourceOf(claims: Claims, claim: string): { endpoint: string; accessToken: string | undefined } | undefined {
  const { _claim_names: names, _claim_sources: sources } = claims;
  if (names === undefined) return undefined;
  if (!isRecord(names)) throw new Error('oidc: error parsing distributed claim names');
  if (sources === undefined) throw new Error('oidc: no claim sources');
  if (!isRecord(sources)) throw new Error('oidc: could not parse claim sources');
  const name = Object.hasOwn(names, claim) ? names[claim] : undefined;
  if (typeof name !== 'string') return undefined;
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (!isRecord(source))
    throw new Error(`oidc: id token _claim_names contained a source ${name} missing in _claims_sources`);
  const { endpoint, access_token: accessToken } = source;
  if (typeof endpoint !== 'string' || endpoint === '') return undefined;
  return { endpoint, accessToken: typeof accessToken === 'string' ? accessToken : undefined };
}

function secure(url: string): string {
  if (!url.startsWith('https://')) throw new Error(`oidc: ${JSON.stringify(url)} is no https URL`);
  return url;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
