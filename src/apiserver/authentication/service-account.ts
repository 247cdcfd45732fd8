import type { Logger } from '../../apimachinery/logger.ts';
import type { ObjectMeta } from '../../apimachinery/meta.ts';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import type { UserInfo } from '../../sdk/user.ts';
import { BoundedCache } from './bounded-cache.ts';
import type { ObjectGetter } from './object-getter.ts';
import {
  CREDENTIAL_ID,
  NODE_NAME,
  NODE_UID,
  type ObjectClaim,
  POD_NAME,
  POD_UID,
  readClaims,
  type ServiceAccountClaims,
  serviceAccountGroups,
  serviceAccountUsername,
} from './service-account-claims.ts';
import { parseToken, type TokenKeys } from './token-keys.ts';

export interface ServiceAccountAuthenticatorOptions {
  readonly keys: TokenKeys;
  /** Accepted issuers; the first is the one that new tokens carry. */
  readonly issuers: readonly string[];
  /** What the API server answers to: a token must name one of them, unless the request asks for others. */
  readonly audiences: readonly string[];
  readonly getter: ObjectGetter;
  readonly logger: Logger;
  readonly now?: () => number;
}

/** Clock difference that is tolerated, and how long a deleted object's tokens live on, in milliseconds. */
const LEEWAY_MS = 60_000;

interface KnownToken {
  readonly claims: ServiceAccountClaims;
  readonly user: UserInfo;
  readonly results: Map<string, AuthenticationResult>;
}

type Lookup = { readonly metadata: ObjectMeta } | undefined;
type BoundResource = 'serviceaccounts' | 'pods' | 'secrets' | 'nodes';

/** Bound ServiceAccount tokens. Signatures are checked once per token; expiry and the bound objects at every request. */
export function createServiceAccountAuthenticator(options: ServiceAccountAuthenticatorOptions): Authenticator {
  const { keys, getter, logger } = options;
  const issuers = new Set(options.issuers);
  const now = options.now ?? Date.now;
  const verified = new BoundedCache<string, KnownToken>(8192);

  function verify(token: string): KnownToken | undefined {
    const known = verified.use(token);
    if (known) return known;
    const parsed = parseToken(token);
    if (!parsed || typeof parsed.claims.iss !== 'string' || !issuers.has(parsed.claims.iss)) return undefined;
    const claims = readClaims(parsed.claims);
    if (!claims || !keys.verify(parsed)) {
      logger.debug({ issuer: parsed.claims.iss }, 'ServiceAccount token refused: bad signature or claims');
      return undefined;
    }
    const fresh = { claims, user: userOf(claims), results: new Map() };
    verified.set(token, fresh);
    return fresh;
  }

  function resultFor(known: KnownToken, requested: readonly string[] | undefined): AuthenticationResult | undefined {
    const wanted = requested?.length ? requested : options.audiences;
    const key = wanted.join('\n');
    const cached = known.results.get(key);
    if (cached) return cached;
    const audiences = wanted.filter((audience) => known.claims.aud.includes(audience));
    if (audiences.length === 0) return undefined;
    const result = { user: known.user, audiences };
    if (known.results.size < 16) known.results.set(key, result);
    return result;
  }

  function references(
    claims: ServiceAccountClaims,
  ): readonly { resource: BoundResource; claim: ObjectClaim; namespace?: string }[] {
    const { namespace, serviceaccount, secret, pod, node } = claims['kubernetes.io'];
    return [
      { resource: 'serviceaccounts', claim: serviceaccount, namespace },
      ...(secret ? [{ resource: 'secrets' as const, claim: secret, namespace }] : []),
      ...(pod ? [{ resource: 'pods' as const, claim: pod, namespace }] : []),
      // Beside a pod the node is information; alone, the token lives as long as the node does.
      ...(node && !pod ? [{ resource: 'nodes' as const, claim: node }] : []),
    ];
  }

  function problem(resource: BoundResource, claim: ObjectClaim, object: Lookup): string | undefined {
    if (!object) return `${resource} "${claim.name}" does not exist`;
    if (object.metadata.uid !== claim.uid) return `the UID of ${resource} "${claim.name}" does not match the token`;
    const { deletionTimestamp } = object.metadata;
    if (deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < now() - LEEWAY_MS)
      return `${resource} "${claim.name}" has been deleted`;
    return undefined;
  }

  const refuse = (claims: ServiceAccountClaims, why: string) => {
    logger.debug({ serviceAccount: claims.sub, token: claims.jti }, `ServiceAccount token refused: ${why}`);
    return undefined;
  };

  return {
    name: 'service-account',
    authenticate(request: AuthenticationRequest) {
      if (!request.bearerToken) return undefined;
      const known = verify(request.bearerToken);
      if (!known) return undefined;
      const { claims } = known;
      const time = now();
      if (time > claims.exp * 1000 + LEEWAY_MS) return refuse(claims, 'it has expired');
      if (time < claims.nbf * 1000 - LEEWAY_MS) return refuse(claims, 'it is not valid yet');
      if (claims.sub !== known.user.name) return refuse(claims, 'its subject is not its ServiceAccount');
      const result = resultFor(known, request.audiences);
      if (!result) return refuse(claims, 'it is meant for other audiences');
      const missing: ReturnType<typeof references>[number][] = [];
      for (const reference of references(claims)) {
        const object = getter.get(reference.resource, reference.claim.name, reference.namespace) as Lookup;
        const why = problem(reference.resource, reference.claim, object);
        if (why === undefined) continue;
        // The cache may lag behind another server's writes: absence and another UID are asked for once more.
        if (!getter.fetch || (object && object.metadata.uid === reference.claim.uid)) return refuse(claims, why);
        missing.push(reference);
      }
      if (missing.length === 0) return result;
      return (async () => {
        for (const { resource, claim, namespace } of missing) {
          const why = problem(resource, claim, (await getter.fetch!(resource, claim.name, namespace)) as Lookup);
          if (why !== undefined) return refuse(claims, why);
        }
        return result;
      })();
    },
  };
}

function userOf(claims: ServiceAccountClaims): UserInfo {
  const { namespace, serviceaccount, pod, node } = claims['kubernetes.io'];
  const extra = {
    ...(claims.jti ? { [CREDENTIAL_ID]: [`JTI=${claims.jti}`] } : {}),
    ...(node ? { [NODE_NAME]: [node.name], [NODE_UID]: [node.uid] } : {}),
    ...(pod ? { [POD_NAME]: [pod.name], [POD_UID]: [pod.uid] } : {}),
  };
  return {
    name: serviceAccountUsername(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: [...serviceAccountGroups(namespace)],
    ...(Object.keys(extra).length ? { extra } : {}),
  };
}
