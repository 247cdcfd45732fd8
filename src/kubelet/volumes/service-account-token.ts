import type { TokenRequest } from '../../api/types/authentication.v1.gen.ts';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { Client } from '../../client/client.ts';
import { ServiceAccounts } from '../../client/resource-types.gen.ts';

const DEFAULT_EXPIRATION_SECONDS = 3600;
const MAX_TOKEN_AGE_MS = 24 * 3_600_000;

interface CachedToken {
  readonly token: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** ServiceAccount tokens for pods of this node: bound to the pod, and renewed at 80 % of their life or after a day. */
export interface TokenSource {
  token(pod: Pod, audience: string | undefined, expirationSeconds: number | undefined): Promise<string>;
  forget(podUid: string): void;
}

export function createTokenSource(client: Client, now: () => number = Date.now): TokenSource {
  const cache = new Map<string, Map<string, CachedToken>>();
  return {
    async token(pod, audience, expirationSeconds = DEFAULT_EXPIRATION_SECONDS) {
      const uid = pod.metadata.uid ?? '';
      const tokens = cache.get(uid) ?? new Map<string, CachedToken>();
      cache.set(uid, tokens);
      const key = JSON.stringify([pod.spec.serviceAccountName, audience, expirationSeconds]);
      const known = tokens.get(key);
      if (known && !needsRenewal(known, now())) return known.token;
      const name = { namespace: pod.metadata.namespace ?? 'default', name: pod.spec.serviceAccountName || 'default' };
      const request = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: audience ? [audience] : [],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid },
        },
      };
      try {
        const answer = await client.for(ServiceAccounts).createSubresource<TokenRequest>(name, 'token', request);
        const { token = '', expirationTimestamp } = answer.status ?? {};
        const issuedAt = now();
        const expiresAt = expirationTimestamp ? Date.parse(expirationTimestamp) : issuedAt + expirationSeconds * 1000;
        tokens.set(key, { token, issuedAt, expiresAt });
        return token;
      } catch (error) {
        // A token that is old but good is better than none while the API server is away.
        if (known && known.expiresAt > now()) return known.token;
        throw new Error(`failed to fetch token: ${(error as Error).message}`, { cause: error });
      }
    },
    forget(podUid) {
      cache.delete(podUid);
    },
  };
}

function needsRenewal({ issuedAt, expiresAt }: CachedToken, now: number): boolean {
  return now - issuedAt > MAX_TOKEN_AGE_MS || now > issuedAt + (expiresAt - issuedAt) * 0.8;
}
