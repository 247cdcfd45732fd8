import { jsonWebKeySet, openidConfiguration } from '../authentication/issuer-discovery.ts';
import type { TokenKeys } from '../authentication/token-keys.ts';
import type { RequestRouter } from '../request/request-router.ts';

export interface IssuerRouteOptions {
  readonly issuer: string;
  readonly keys: TokenKeys;
  /** Where the key set is, for those who verify: an absolute URL. */
  jwksURI(): string;
}

/** What others need to verify ServiceAccount tokens: OpenID Connect discovery and the JSON web key set. */
export function addIssuerRoutes(router: RequestRouter, { issuer, keys, jwksURI }: IssuerRouteOptions): void {
  const headers = { 'cache-control': 'public, max-age=3600' };
  router.addPath('/.well-known/openid-configuration', () => ({
    type: 'content',
    status: 200,
    contentType: 'application/json',
    body: JSON.stringify(openidConfiguration({ issuer, jwksURI: jwksURI(), keys })),
    headers,
  }));
  router.addPath('/openid/v1/jwks', () => ({
    type: 'content',
    status: 200,
    contentType: 'application/jwk-set+json',
    body: JSON.stringify(jsonWebKeySet(keys)),
    headers,
  }));
}
