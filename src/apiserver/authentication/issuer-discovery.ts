import type { TokenKeys } from './token-keys.ts';

/** `/.well-known/openid-configuration`: how others verify this cluster's ServiceAccount tokens. */
export function openidConfiguration(options: {
  readonly issuer: string;
  readonly jwksURI: string;
  readonly keys: TokenKeys;
}): object {
  return {
    issuer: options.issuer,
    jwks_uri: options.jwksURI,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: options.keys.algorithms,
  };
}

/** `/openid/v1/jwks`, served as `application/jwk-set+json`. */
export function jsonWebKeySet(keys: TokenKeys): object {
  return keys.jwks();
}
