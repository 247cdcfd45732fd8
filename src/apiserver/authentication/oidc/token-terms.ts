import type { Claims } from './user-of-claims.ts';

/** How far ahead the issuer's clock may be. */
const NOT_BEFORE_LEEWAY_MS = 5 * 60_000;

/** Checks a token's audience and time; when it expires, in ms. Throws an Error in upstream's words. */
export function checkTerms(allowed: readonly string[], { aud, exp, nbf }: Claims, now: number): number {
  const audiences = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud : [];
  if (!audiences.some((audience) => allowed.includes(audience)))
    throw new Error(
      `oidc: verify token: oidc: expected audience in ${JSON.stringify(allowed)} got ${JSON.stringify(audiences)}`,
    );
  const expires = typeof exp === 'number' ? exp * 1000 : 0;
  if (!(expires > now))
    throw new Error(`oidc: verify token: oidc: token is expired (Token Expiry: ${showTime(expires)})`);
  if (typeof nbf === 'number' && nbf * 1000 > now + NOT_BEFORE_LEEWAY_MS)
    throw new Error(
      `oidc: verify token: oidc: current time ${showTime(now)} before the nbf (not before) time: ${showTime(nbf * 1000)}`,
    );
  return expires;
}

function showTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
