import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { TokenReview } from '../../api/types/authentication.v1.gen.ts';
import type { SubjectAccessReview } from '../../api/types/authorization.v1.gen.ts';
import type { Client, ResourceType } from '../../client/client.ts';
import { callerOfCertificate, type KubeletCaller } from './kubelet-identity.ts';

/** Who may call the kubelet, and for what. */
export interface KubeletAccess {
  /** Undefined: allowed. */
  refusal(request: IncomingMessage, path: string): Promise<Refusal | undefined>;
}

export interface Refusal {
  readonly code: 401 | 403 | 500;
  readonly text: string;
}

export interface KubeletAccessOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** CN of the certificate that the API server calls with. */
  readonly apiServerName: string;
}

const TokenReviews: ResourceType<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  resource: 'tokenreviews',
  namespaced: false,
};
const SubjectAccessReviews: ResourceType<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  resource: 'subjectaccessreviews',
  namespaced: false,
};
const SYSTEM_MASTERS = 'system:masters';
const CACHE_MS = 30_000;
const CACHE_SIZE = 1000;
const RUNS_COMMANDS = /^\/(exec|attach|run|portForward)\//;
const SUBRESOURCES: readonly (readonly [prefix: string, subresource: string])[] = [
  ['/stats', 'stats'],
  ['/metrics', 'metrics'],
  ['/healthz', 'healthz'],
  ['/pods', 'pods'],
  ['/runningpods', 'pods'],
];

/**
 * The API server itself and system:masters may do all. Everybody else, with a client certificate or a token, is asked
 * about at the API server: the verb on `nodes/proxy`, or on a narrower subresource for statistics, metrics, health and pods.
 */
export function createKubeletAccess({ client, nodeName, apiServerName }: KubeletAccessOptions): KubeletAccess {
  const callers = new Remembered<KubeletCaller | undefined>();
  const decisions = new Remembered<boolean>();

  async function callerOfToken(token: string): Promise<KubeletCaller | undefined> {
    const review = await client.for(TokenReviews).create({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token },
    } as unknown as TokenReview);
    const { authenticated, user } = review.status ?? {};
    if (!authenticated || !user?.username) return undefined;
    return {
      name: user.username,
      groups: user.groups ?? [],
      ...(user.uid ? { uid: user.uid } : {}),
      ...(user.extra ? { extra: user.extra } : {}),
    };
  }

  async function mayCall(caller: KubeletCaller, verb: string, subresource: string): Promise<boolean> {
    const review = await client.for(SubjectAccessReviews).create({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: caller.name,
        groups: caller.groups,
        ...(caller.uid ? { uid: caller.uid } : {}),
        ...(caller.extra ? { extra: caller.extra } : {}),
        resourceAttributes: { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName },
      },
    } as unknown as SubjectAccessReview);
    return review.status?.allowed === true;
  }

  return {
    async refusal(request, path) {
      let caller = callerOfCertificate(request.socket as TLSSocket);
      try {
        const token = /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1];
        if (!caller && token) caller = await callers.get(token, () => callerOfToken(token));
        if (!caller) return { code: 401, text: 'Unauthorized' };
        const { name, groups } = caller;
        if (name === apiServerName || groups.includes(SYSTEM_MASTERS)) return undefined;
        const verb = verbOf(request.method ?? 'GET', path);
        const narrow = SUBRESOURCES.find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`))?.[1];
        const known = caller;
        for (const subresource of narrow ? [narrow, 'proxy'] : ['proxy']) {
          const key = JSON.stringify([known, verb, subresource]);
          if (await decisions.get(key, () => mayCall(known, verb, subresource))) return undefined;
        }
        return {
          code: 403,
          text: `Forbidden (user=${name}, verb=${verb}, resource=nodes, subresource(s)=[${narrow ? `${narrow} proxy` : 'proxy'}])\n`,
        };
      } catch (error) {
        return {
          code: 500,
          text: `the API server could not be asked: ${error instanceof Error ? error.message : String(error)}`,
        };
      }
    },
  };
}

/** To run something is `create`, also for a WebSocket, which has to come as GET. */
function verbOf(method: string, path: string): string {
  if (RUNS_COMMANDS.test(path)) return 'create';
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      return 'get';
  }
}

/** Answers that hold for a while. */
class Remembered<T> {
  readonly #answers = new Map<string, { readonly answer: Promise<T>; readonly until: number }>();

  get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known && known.until > Date.now()) return known.answer;
    const answer = ask();
    this.#answers.delete(key);
    this.#answers.set(key, { answer, until: Date.now() + CACHE_MS });
    answer.catch(() => this.#answers.delete(key));
    if (this.#answers.size > CACHE_SIZE)
      for (const [oldest] of this.#answers) {
        this.#answers.delete(oldest);
        break;
      }
    return answer;
  }
}
