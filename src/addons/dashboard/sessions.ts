import { randomBytes } from 'node:crypto';
import type { Pool } from 'undici';
import { badRequest, unauthorized } from '../../apimachinery/status-error.ts';

/** Who a browser is: its own token, or the client certificate of its own kubeconfig. */
interface Identity {
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Session {
  readonly user: { readonly username: string; readonly groups?: readonly string[] };
  /** Connections that carry this identity alone. */
  readonly pool: Pool;
  readonly headers: Readonly<Record<string, string>>;
  usedAt: number;
}

export interface SessionsOptions {
  /** Of the API server: `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM of the cluster's CA. */
  readonly ca: string;
}

const IDLE_MS = 8 * 60 * 60 * 1000;
const MAX_SESSIONS = 200;

/** Logged-in browsers. Credentials stay in memory, in this process, until the session ends; the dashboard has none of its own. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get(id: string | undefined): Session | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session) return undefined;
    if (Date.now() - session.usedAt > IDLE_MS) {
      void this.end(id!);
      return undefined;
    }
    session.usedAt = Date.now();
    return session;
  }

  /** Checks the credentials with the API server. Throws StatusError 400 or 401. Returns the session's id. */
  async login(body: {
    readonly token?: unknown;
    readonly kubeconfig?: unknown;
  }): Promise<{ id: string; session: Session }> {
    const identity =
      typeof body.kubeconfig === 'string'
        ? await identityOf(body.kubeconfig)
        : typeof body.token === 'string'
          ? { token: body.token.trim() }
          : undefined;
    if (!identity || (!identity.token && !identity.cert)) throw badRequest('give a token or a kubeconfig');
    if (identity.token && /[^\x21-\x7e]/.test(identity.token))
      throw unauthorized('the token has characters that no token has');
    // Loaded with the first login: most clusters never see one.
    const { Pool } = await import('undici');
    const pool = new Pool(this.#options.server, {
      connections: 32,
      headersTimeout: 60_000,
      bodyTimeout: 0,
      connect: { ca: this.#options.ca, ...(identity.cert ? { cert: identity.cert, key: identity.key! } : {}) },
    });
    const headers: Record<string, string> = identity.token ? { authorization: `Bearer ${identity.token}` } : {};
    try {
      const user = await whoAmI(pool, headers);
      const id = randomBytes(32).toString('base64url');
      const session: Session = { user, pool, headers, usedAt: Date.now() };
      this.#dropOldest();
      this.#sessions.set(id, session);
      return { id, session };
    } catch (error) {
      await pool.destroy();
      throw error;
    }
  }

  async end(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    await session?.pool.destroy();
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((id) => this.end(id)));
  }

  #dropOldest(): void {
    if (this.#sessions.size < MAX_SESSIONS) return;
    const [oldest] = [...this.#sessions].sort((a, b) => a[1].usedAt - b[1].usedAt);
    if (oldest) void this.end(oldest[0]);
  }
}

async function whoAmI(pool: Pool, headers: Record<string, string>): Promise<Session['user']> {
  const { statusCode, body } = await pool.request({
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
  });
  const answer = (await body.json()) as { status?: { userInfo?: Session['user'] } };
  const user = answer.status?.userInfo;
  if (statusCode >= 300 || !user || user.username === 'system:anonymous')
    throw unauthorized('the API server does not accept these credentials');
  return user;
}

/** The current context's user of a kubeconfig with inline credentials. */
async function identityOf(text: string): Promise<Identity> {
  const { parse } = await import('yaml');
  type Named<T> = { readonly name?: string } & T;
  let config: {
    'current-context'?: string;
    contexts?: Named<{ context?: { user?: string } }>[];
    users?: Named<{ user?: Record<string, unknown> }>[];
  };
  try {
    config = parse(text, { maxAliasCount: 0 }) ?? {};
  } catch {
    throw badRequest('the kubeconfig is not valid YAML');
  }
  const context = config.contexts?.find(({ name }) => name === config['current-context'])?.context;
  const user = config.users?.find(({ name }) => name === context?.user)?.user;
  if (!user) throw badRequest('the kubeconfig has no current context with a user');
  const pem = (field: string) =>
    typeof user[field] === 'string' ? Buffer.from(user[field], 'base64').toString('utf8') : undefined;
  const cert = pem('client-certificate-data');
  const key = pem('client-key-data');
  if (cert && key) return { cert, key };
  if (typeof user.token === 'string') return { token: user.token };
  throw badRequest(
    "the kubeconfig's user has no inline certificate or token (client-certificate-data, client-key-data, token)",
  );
}
