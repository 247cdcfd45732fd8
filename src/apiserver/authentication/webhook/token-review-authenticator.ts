import { createHash } from 'node:crypto';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../../sdk/authentication.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import { BoundedCache } from '../bounded-cache.ts';
import type { ReviewClient } from './review-client.ts';

export interface TokenReviewAuthenticatorOptions {
  readonly client: ReviewClient;
  /** The API server's own. */
  readonly audiences: readonly string[];
  /** How long answers are kept; 2 minutes when absent. */
  readonly ttlMs?: number;
  readonly now?: () => number;
}

const TTL_MS = 2 * 60_000;
const TIMEOUT_MS = 10_000;

interface Answer {
  readonly result: AuthenticationResult | undefined;
  readonly until: number;
}

/** Asks a webhook by TokenReview v1 whose a token is. Answers are kept for a while, failures are not. */
export function createTokenReviewAuthenticator(options: TokenReviewAuthenticatorOptions): Authenticator {
  const { client, audiences: own } = options;
  const now = options.now ?? Date.now;
  const ttlMs = options.ttlMs ?? TTL_MS;
  const answers = new BoundedCache<string, Answer>(4096);
  const asking = new Map<string, Promise<AuthenticationResult | undefined>>();

  async function ask(key: string, token: string, audiences: readonly string[]) {
    const status = await client.post(
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        metadata: { creationTimestamp: null },
        spec: { token, audiences },
        status: { user: {} },
      },
      TIMEOUT_MS,
    );
    const result = resultOf(status, audiences, own);
    answers.set(key, { result, until: now() + ttlMs });
    return result;
  }

  return {
    name: 'webhook',
    authenticate(request: AuthenticationRequest) {
      const token = request.bearerToken;
      if (token === undefined) return undefined;
      const audiences = request.audiences?.length ? request.audiences : own;
      const key = createHash('sha256')
        .update(`${token}\n${audiences.join('\n')}`)
        .digest('base64');
      const known = answers.use(key);
      if (known && now() < known.until) return known.result;
      let pending = asking.get(key);
      if (!pending) {
        pending = ask(key, token, audiences).finally(() => asking.delete(key));
        asking.set(key, pending);
      }
      return pending;
    },
  };
}

/** Throws what the webhook gives as the error. */
function resultOf(
  status: Readonly<Record<string, unknown>>,
  wanted: readonly string[],
  own: readonly string[],
): AuthenticationResult | undefined {
  if (status.authenticated !== true) {
    if (typeof status.error === 'string' && status.error !== '') throw new Error(status.error);
    return undefined;
  }
  // A webhook that says nothing of audiences answers for the API server.
  const given = strings(status.audiences);
  const audiences = wanted.filter((audience) => (given.length ? given : own).includes(audience));
  return audiences.length === 0 ? undefined : { user: userOf(status.user), audiences };
}

function userOf(given: unknown): UserInfo {
  const { username, uid, groups, extra } = (given ?? {}) as Readonly<Record<string, unknown>>;
  return {
    name: typeof username === 'string' ? username : '',
    groups: strings(groups),
    ...(typeof uid === 'string' && uid !== '' ? { uid } : {}),
    ...(typeof extra === 'object' && extra !== null
      ? { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, strings(values)])) }
      : {}),
  };
}

function strings(given: unknown): readonly string[] {
  return Array.isArray(given) ? given.filter((item): item is string => typeof item === 'string') : [];
}
