import { timingSafeEqual } from 'node:crypto';
import type { Secret, ServiceAccount } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import { BoundedCache } from './bounded-cache.ts';
import type { ObjectGetter } from './object-getter.ts';
import { serviceAccountGroups, serviceAccountUsername } from './service-account-claims.ts';
import { LEGACY_ISSUER } from './token-issuer.ts';
import { parseToken, type TokenKeys } from './token-keys.ts';

const LAST_USED = 'kubernetes.io/legacy-token-last-used';

interface LegacyClaims {
  readonly namespace: string;
  readonly secretName: string;
  readonly name: string;
  readonly uid: string;
}

/** Tokens of Secrets of type `kubernetes.io/service-account-token`: without expiry, valid while Secret and ServiceAccount exist. */
export function createLegacyTokenAuthenticator(options: {
  readonly keys: TokenKeys;
  readonly audiences: readonly string[];
  readonly getter: ObjectGetter;
  readonly logger: Logger;
  /** Told once a day of each Secret whose token is used. */
  readonly noteUse?: (secret: { namespace: string; name: string; uid: string }, day: string) => Promise<void>;
  readonly now?: () => number;
}): Authenticator {
  const { keys, getter, logger, noteUse, now = Date.now } = options;
  const noted = new BoundedCache<string, string>(1024);
  const verified = new BoundedCache<string, { claims: LegacyClaims; result: AuthenticationResult }>(1024);

  function verify(token: string) {
    const known = verified.use(token);
    if (known) return known;
    const parsed = parseToken(token);
    if (!parsed || parsed.claims.iss !== LEGACY_ISSUER) return undefined;
    const claim = (name: string) => parsed.claims[`kubernetes.io/serviceaccount/${name}`];
    const claims = {
      namespace: claim('namespace'),
      secretName: claim('secret.name'),
      name: claim('service-account.name'),
      uid: claim('service-account.uid'),
    };
    if (Object.values(claims).some((value) => typeof value !== 'string' || value === '')) return undefined;
    const complete = claims as LegacyClaims;
    const username = serviceAccountUsername(complete.namespace, complete.name);
    if (parsed.claims.sub !== username || !keys.verify(parsed)) return undefined;
    const user = { name: username, uid: complete.uid, groups: [...serviceAccountGroups(complete.namespace)] };
    const fresh = { claims: complete, result: { user, audiences: options.audiences } };
    verified.set(token, fresh);
    return fresh;
  }

  function isBacked(
    token: string,
    claims: LegacyClaims,
    secret: Secret | undefined,
    account: ServiceAccount | undefined,
  ): boolean {
    if (!secret || secret.metadata.deletionTimestamp !== undefined) return false;
    if (!account || account.metadata.deletionTimestamp !== undefined || account.metadata.uid !== claims.uid)
      return false;
    // The cleaner of unused tokens marks a Secret before it deletes it.
    if (secret.metadata.labels?.['kubernetes.io/legacy-token-invalid-since'] !== undefined) return false;
    const stored = Buffer.from(secret.data?.token ?? '', 'base64');
    const given = Buffer.from(token);
    return stored.length === given.length && timingSafeEqual(stored, given);
  }

  function note({ metadata }: Secret): void {
    const { namespace = '', name, uid = '' } = metadata;
    const day = new Date(now()).toISOString().slice(0, 10);
    if (!noteUse || metadata.labels?.[LAST_USED] === day || noted.get(uid) === day) return;
    noted.set(uid, day);
    noteUse({ namespace, name, uid }, day).catch((error) =>
      logger.warn({ err: error, secret: `${namespace}/${name}` }, 'the use of a legacy token was not noted'),
    );
  }

  return {
    name: 'legacy-service-account',
    authenticate(request: AuthenticationRequest) {
      if (!request.bearerToken) return undefined;
      const token = request.bearerToken;
      const known = verify(token);
      if (!known) return undefined;
      if (request.audiences?.length && !request.audiences.some((audience) => options.audiences.includes(audience)))
        return undefined;
      const { claims, result } = known;
      const decide = (secret: Secret | undefined, account: ServiceAccount | undefined) => {
        if (isBacked(token, claims, secret, account)) {
          note(secret!);
          return result;
        }
        logger.debug(
          { serviceAccount: result.user.name },
          'legacy ServiceAccount token refused: its Secret or ServiceAccount no longer backs it',
        );
        return undefined;
      };
      const secret = getter.get('secrets', claims.secretName, claims.namespace);
      const account = getter.get('serviceaccounts', claims.name, claims.namespace);
      if ((secret && account) || !getter.fetch) return decide(secret, account);
      return Promise.all([
        secret ?? getter.fetch('secrets', claims.secretName, claims.namespace),
        account ?? getter.fetch('serviceaccounts', claims.name, claims.namespace),
      ]).then(([freshSecret, freshAccount]) => decide(freshSecret, freshAccount));
    },
  };
}
