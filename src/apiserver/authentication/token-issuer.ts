import { randomUUID } from 'node:crypto';
import {
  DEFAULT_ISSUER,
  type ObjectClaim,
  type ServiceAccountClaims,
  serviceAccountUsername,
} from './service-account-claims.ts';
import type { TokenKeys } from './token-keys.ts';

export interface TokenIssuerOptions {
  readonly keys: TokenKeys;
  /** The `iss` claim; must be the URL under which the discovery document is served to those who use it. */
  readonly issuer?: string;
  readonly now?: () => number;
}

export interface IssueTokenOptions {
  readonly namespace: string;
  readonly serviceAccount: ObjectClaim;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** Seconds after which its use is reported as stale. */
  readonly warnAfterSeconds?: number;
  readonly pod?: ObjectClaim;
  readonly secret?: ObjectClaim;
  readonly node?: ObjectClaim;
}

export interface IssuedToken {
  readonly token: string;
  readonly expirationTimestamp: string;
  readonly id: string;
}

/** Makes bound ServiceAccount tokens and the legacy ones of token Secrets. Checks nothing: that is TokenRequest's part. */
export class TokenIssuer {
  readonly issuer: string;
  readonly #keys: TokenKeys;
  readonly #now: () => number;

  constructor(options: TokenIssuerOptions) {
    this.#keys = options.keys;
    this.issuer = options.issuer ?? DEFAULT_ISSUER;
    this.#now = options.now ?? Date.now;
  }

  issue(options: IssueTokenOptions): IssuedToken {
    const issuedAt = Math.floor(this.#now() / 1000);
    const expiresAt = issuedAt + options.expirationSeconds;
    const id = randomUUID();
    const claims: ServiceAccountClaims = {
      aud: options.audiences,
      exp: expiresAt,
      iat: issuedAt,
      iss: this.issuer,
      jti: id,
      'kubernetes.io': {
        namespace: options.namespace,
        ...(options.node ? { node: options.node } : {}),
        ...(options.pod ? { pod: options.pod } : {}),
        ...(options.secret ? { secret: options.secret } : {}),
        serviceaccount: options.serviceAccount,
        ...(options.warnAfterSeconds ? { warnafter: issuedAt + options.warnAfterSeconds } : {}),
      },
      nbf: issuedAt,
      sub: serviceAccountUsername(options.namespace, options.serviceAccount.name),
    };
    return {
      token: this.#keys.sign(claims),
      expirationTimestamp: `${new Date(expiresAt * 1000).toISOString().slice(0, 19)}Z`,
      id,
    };
  }

  /** The token of a Secret of type `kubernetes.io/service-account-token`: it never expires and lives as long as its Secret. */
  issueLegacy(options: {
    readonly namespace: string;
    readonly serviceAccount: ObjectClaim;
    readonly secretName: string;
  }): string {
    return this.#keys.sign({
      iss: LEGACY_ISSUER,
      'kubernetes.io/serviceaccount/namespace': options.namespace,
      'kubernetes.io/serviceaccount/secret.name': options.secretName,
      'kubernetes.io/serviceaccount/service-account.name': options.serviceAccount.name,
      'kubernetes.io/serviceaccount/service-account.uid': options.serviceAccount.uid,
      sub: serviceAccountUsername(options.namespace, options.serviceAccount.name),
    });
  }
}

export const LEGACY_ISSUER = 'kubernetes/serviceaccount';
