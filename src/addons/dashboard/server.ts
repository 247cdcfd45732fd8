import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { badRequest, entityTooLarge, isStatusError, unauthorized } from '../../apimachinery/status-error.ts';
import { type Session, Sessions, type SessionsOptions } from './sessions.ts';

export interface DashboardOptions extends SessionsOptions {
  /** The built page (`dist/dashboard`). */
  readonly pageDir: string;
  readonly bindAddress: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly logger: Logger;
}

export interface Dashboard {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As listened on, after `start`. */
  readonly port: number;
}

const COOKIE = 'k8ts-session';
const MAX_LOGIN_BYTES = 256 * 1024;
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
};

/** Serves the web page, and passes its API calls on with the identity of the browser's session and nothing more. */
export function createDashboard(options: DashboardOptions): Dashboard {
  return new DashboardServer(options);
}

class DashboardServer implements Dashboard {
  readonly #options: DashboardOptions;
  readonly #sessions: Sessions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  constructor(options: DashboardOptions) {
    this.#options = options;
    this.#sessions = new Sessions(options);
  }

  async start(): Promise<void> {
    const { certificate, port, bindAddress, pageDir } = this.#options;
    await readFile(join(pageDir, 'index.html')).catch((cause) => {
      throw new CodedError(
        'DASHBOARD_NOT_BUILT',
        `the dashboard's page is not in ${pageDir}`,
        'Run `npm run build`, or leave it out with --disable dashboard.',
        { cause },
      );
    });
    const server = createServer(
      { ...certificate, requestTimeout: 60_000, headersTimeout: 20_000, maxHeaderSize: 32 * 1024 },
      (request, response) => {
        this.#handle(request, response).catch((error) => this.#fail(response, error));
      },
    );
    this.#server = server;
    server.on('secureConnection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new CodedError(
            cause.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'LISTEN_FAILED',
            cause.code === 'EADDRINUSE'
              ? `port ${port} is taken by another program`
              : `port ${port} can't be listened on (${cause.code})`,
            'Free it, choose another with --dashboard-port, or leave it out with --disable dashboard.',
            { cause },
          ),
        ),
      );
      server.listen(port, bindAddress, resolve);
    });
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) =>
      this.#server?.listening ? this.#server.close(() => resolve()) : resolve(),
    );
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([closed, this.#sessions.endAll()]);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const path = (request.url ?? '/').split('?', 1)[0]!;
    if (path === '/session') await this.#session(request, response);
    else if (path.startsWith('/k8s/')) await this.#proxy(request, response);
    else await this.#page(path, request, response);
  }

  async #session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      sendJson(response, 200, this.#required(request).user);
      return;
    }
    refuseForeignOrigin(request);
    if (request.method === 'DELETE') {
      const id = cookieOf(request);
      if (id) await this.#sessions.end(id);
      response.setHeader('set-cookie', `${COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict`);
      sendJson(response, 200, {});
    } else if (request.method === 'POST') {
      const body = parseJson(await readBody(request, MAX_LOGIN_BYTES));
      const { id, session } = await this.#sessions.login(body);
      response.setHeader('set-cookie', `${COOKIE}=${id}; Path=/; HttpOnly; Secure; SameSite=Strict`);
      sendJson(response, 200, session.user);
    } else sendJson(response, 405, { message: 'method not allowed' });
  }

  async #proxy(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = this.#required(request);
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (!reads) refuseForeignOrigin(request);
    const headers: Record<string, string> = { ...session.headers };
    for (const name of ['accept', 'content-type'] as const)
      if (request.headers[name]) headers[name] = request.headers[name];
    const abort = new AbortController();
    response.on('close', () => abort.abort());
    const answer = await session.pool.request({
      path: (request.url ?? '/').slice('/k8s'.length),
      method: (request.method ?? 'GET') as 'GET',
      headers,
      body: reads ? null : await readBody(request, MAX_BODY_BYTES),
      signal: abort.signal,
    });
    response.statusCode = answer.statusCode;
    const type = answer.headers['content-type'];
    if (type) response.setHeader('content-type', type);
    response.setHeader('cache-control', 'no-store');
    response.flushHeaders();
    answer.body.on('error', () => response.destroy());
    answer.body.pipe(response);
  }

  async #page(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendJson(response, 405, { message: 'method not allowed' });
      return;
    }
    const { pageDir } = this.#options;
    const file = normalize(join(pageDir, decodeURIComponent(path)));
    const known = extname(file) in TYPES && file.startsWith(pageDir);
    // Paths of the page's own router are answered with the page.
    const body =
      (known ? await readFile(file).catch(() => undefined) : undefined) ??
      (await readFile(join(pageDir, 'index.html')));
    const isPage = !known || file.endsWith('.html');
    response.setHeader('content-type', TYPES[isPage ? '.html' : extname(file)]!);
    response.setHeader(
      'cache-control',
      path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    );
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  #required(request: IncomingMessage): Session {
    const session = this.#sessions.get(cookieOf(request));
    if (!session) throw unauthorized('log in first');
    return session;
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    if (isStatusError(error)) sendJson(response, error.code, error.status);
    else {
      this.#options.logger.warn({ err: error }, 'a dashboard request failed');
      sendJson(response, 502, { message: 'the API server did not answer' });
    }
  }
}

function cookieOf(request: IncomingMessage): string | undefined {
  const match = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]+)`).exec(request.headers.cookie ?? '');
  return match?.[1];
}

/** A page of another site can't use the session: browsers name the origin of every request that changes something. */
function refuseForeignOrigin(request: IncomingMessage): void {
  const { origin } = request.headers;
  if (origin !== undefined && origin !== `https://${request.headers.host}`)
    throw badRequest('the request comes from another site');
}

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw entityTooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw badRequest('the body is not a JSON object');
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.setHeader('cache-control', 'no-store');
  response.end(JSON.stringify(body));
}
