import { readFile } from 'node:fs/promises';
import type { Agent } from 'undici';

/** Where a webhook is and what proves who calls: a kubeconfig's context. */
export interface WebhookConnection {
  /** The whole URL that reviews are posted to. */
  readonly server: string;
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  readonly tlsServerName?: string | undefined;
}

const FIRST_RETRY_MS = 500;
const RETRY_FACTOR = 1.5;
const ATTEMPTS = 5;
const MAX_BYTES = 4 * 1024 * 1024;

class RetriableError extends Error {}

/** Posts reviews to one webhook. Broken connections, 429 and answers of 500 and above are tried again, five times in all. */
export class ReviewClient {
  #connection: WebhookConnection;
  readonly #onClose: (() => void) | undefined;
  readonly #retryMs: number;
  #agent: Agent | undefined;

  constructor(
    connection: WebhookConnection,
    options: { readonly retryMs?: number; readonly onClose?: () => void } = {},
  ) {
    this.#connection = connection;
    this.#retryMs = options.retryMs ?? FIRST_RETRY_MS;
    this.#onClose = options.onClose;
  }

  /** Reviews go there from now on; those under way are finished as they were begun. */
  use(connection: WebhookConnection): void {
    const old = this.#agent;
    this.#connection = connection;
    this.#agent = undefined;
    old?.close().catch(() => undefined);
  }

  /** Resolves to the review's `status`. `timeoutMs` goes for each attempt. */
  async post(review: object, timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
    const body = JSON.stringify(review);
    let delay = this.#retryMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return statusOf(await this.#once(body, timeoutMs));
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof RetriableError)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, delay * (1 + Math.random() * 0.2)));
      delay *= RETRY_FACTOR;
    }
  }

  /** Sends once; the answer says no more than that it was taken. */
  async deliver(body: string, timeoutMs: number): Promise<void> {
    await this.#once(body, timeoutMs);
  }

  async close(): Promise<void> {
    this.#onClose?.();
    await this.#agent?.destroy();
  }

  async #once(body: string, timeoutMs: number): Promise<string> {
    const { Agent, request } = await import('undici');
    const connection = this.#connection;
    const { server, ca, cert, key, insecureSkipTlsVerify, tlsServerName } = connection;
    this.#agent ??= new Agent({
      connections: 16,
      connect: {
        ...(ca ? { ca } : {}),
        ...(cert && key ? { cert, key } : {}),
        ...(tlsServerName ? { servername: tlsServerName } : {}),
        ...(insecureSkipTlsVerify ? { rejectUnauthorized: false } : {}),
      },
    });
    const agent = this.#agent;
    const token = await tokenOf(connection);
    const signal = AbortSignal.timeout(timeoutMs);
    let status: number;
    let text: string;
    try {
      const response = await request(server, {
        method: 'POST',
        body,
        dispatcher: agent,
        signal,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
      });
      status = response.statusCode;
      text = await readText(response.body as AsyncIterable<Buffer>);
    } catch (error) {
      const where = `Post ${JSON.stringify(server)}`;
      if (signal.aborted) throw new Error(`${where}: context deadline exceeded`);
      const { code, message } = error as NodeJS.ErrnoException;
      const broken = code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET';
      throw new (broken ? RetriableError : Error)(`${where}: ${message || code}`);
    }
    if (status === 429 || status >= 500)
      throw new RetriableError(
        `an error on the server (${JSON.stringify(text.slice(0, 500))}) has prevented the request from succeeding (code ${status})`,
      );
    if (status < 200 || status > 299) throw new Error(`the server responded with the status code ${status}`);
    return text;
  }
}

async function tokenOf({ token, tokenFile }: WebhookConnection): Promise<string | undefined> {
  return tokenFile ? (await readFile(tokenFile, 'utf8')).trim() : token;
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function statusOf(text: string): Readonly<Record<string, unknown>> {
  const review = JSON.parse(text) as { readonly status?: unknown } | null;
  const status = review?.status;
  if (typeof status !== 'object' || status === null) throw new Error('the webhook answered without a status');
  return status as Record<string, unknown>;
}
