import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type * as Undici from 'undici';
import type { Logger } from '../../apimachinery/logger.ts';
import type { Backends } from './backends.ts';
import type { RouteTable, RouteTarget } from './routes.ts';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** RFC 9110 section 7.6.1: of one connection, never passed on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
const IDLE_POOL_MS = 60_000;

export interface IngressProxyOptions {
  routes(): RouteTable;
  readonly backends: Backends;
  readonly logger: Logger;
}

/** Passes requests on to pods, streaming both ways. */
export class IngressProxy {
  readonly #options: IngressProxyOptions;
  readonly #pools = new Map<string, { pool: Undici.Pool; usedAt: number }>();
  #undici: Promise<typeof Undici> | undefined;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: IngressProxyOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#closeIdle(), IDLE_POOL_MS);
    this.#sweeper.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()));
    this.#pools.clear();
  }

  handle(request: Request, response: Response, secure: boolean): void {
    const target = this.#target(request);
    if (!target) {
      refuse(response, 404, 'default backend - 404');
      return;
    }
    const origins = this.#options.backends.originsOf(target);
    if (origins.length === 0) {
      refuse(response, 503, `no endpoint of service ${target.namespace}/${target.service} is ready`);
      return;
    }
    void this.#forward(request, response, origins, secure, target);
  }

  /** WebSocket and other upgrades: two sockets joined. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, secure: boolean): void {
    const target = this.#target(request);
    const origin = target && this.#options.backends.originsOf(target)[0];
    if (!origin) {
      socket.end(`HTTP/1.1 ${target ? '503 Service Unavailable' : '404 Not Found'}\r\nConnection: close\r\n\r\n`);
      return;
    }
    const headers = {
      ...forwardedHeaders(request, secure),
      connection: 'Upgrade',
      upgrade: request.headers.upgrade ?? '',
    };
    const outgoing = httpRequest(origin, {
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers,
      setHost: false,
    });
    outgoing.on('upgrade', (answer, backend, backendHead) => {
      const lines = rawHeaderLines(answer.rawHeaders);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`);
      if (backendHead.length) socket.write(backendHead);
      if (head.length) backend.write(head);
      backend.on('error', () => socket.destroy());
      socket.on('error', () => backend.destroy());
      backend.pipe(socket).pipe(backend);
    });
    outgoing.on('response', (answer) => {
      socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${rawHeaderLines(answer.rawHeaders)}\r\n`);
      answer.pipe(socket);
    });
    outgoing.on('error', () => socket.destroy());
    socket.on('error', () => outgoing.destroy());
    outgoing.end();
  }

  #target(request: Request): RouteTarget | undefined {
    const host = hostOf(request);
    const url = request.url ?? '/';
    const question = url.indexOf('?');
    return this.#options.routes().match(host, question < 0 ? url : url.slice(0, question));
  }

  async #forward(
    request: Request,
    response: Response,
    origins: readonly string[],
    secure: boolean,
    target: RouteTarget,
  ): Promise<void> {
    // Loaded with the first request: most clusters never see one.
    this.#undici ??= import('undici');
    const { Pool } = await this.#undici;
    if (response.destroyed) return;
    const [origin, ...others] = origins as [string, ...string[]];
    const hasBody =
      request.headers['content-length'] !== undefined ||
      request.headers['transfer-encoding'] !== undefined ||
      (request.httpVersionMajor === 2 && !['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? 'GET'));
    const respond = response as ServerResponse;
    let abort: (() => void) | undefined;
    respond.on('close', () => {
      if (!respond.writableFinished) abort?.();
    });
    this.#pool(origin, Pool).dispatch(
      {
        path: request.url ?? '/',
        method: (request.method ?? 'GET') as 'GET',
        headers: forwardedHeaders(request, secure),
        body: hasBody ? request : null,
      },
      {
        onRequestStart(controller) {
          abort = () => controller.abort(new Error('the client went away'));
        },
        onResponseStart(controller, status, headers) {
          for (const [name, value] of Object.entries(headers))
            if (!HOP_BY_HOP.has(name) && value !== undefined) respond.setHeader(name, value as string);
          respond.writeHead(status);
          respond.on('drain', () => controller.resume());
        },
        onResponseData(controller, chunk) {
          if (respond.write(chunk) === false) controller.pause();
        },
        onResponseEnd() {
          respond.end();
        },
        onResponseError: (_controller, error) => {
          if (respond.headersSent || respond.destroyed) {
            respond.destroy();
            return;
          }
          const refused =
            (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ||
            (error as NodeJS.ErrnoException).code === 'EHOSTUNREACH';
          // A pod that is just gone: nothing was sent to it, so another may have the request.
          if (refused && others.length && !hasBody) {
            void this.#forward(request, response, others, secure, target);
            return;
          }
          this.#options.logger.warn({ err: error, ingress: target.ingress, origin }, 'a backend did not answer');
          refuse(response, 502, 'bad gateway');
        },
      },
    );
  }

  #pool(origin: string, Pool: typeof Undici.Pool): Undici.Pool {
    let entry = this.#pools.get(origin);
    if (!entry) {
      entry = {
        pool: new Pool(origin, { connections: 128, connectTimeout: 5_000, headersTimeout: 300_000, bodyTimeout: 0 }),
        usedAt: 0,
      };
      this.#pools.set(origin, entry);
    }
    entry.usedAt = Date.now();
    return entry.pool;
  }

  #closeIdle(): void {
    const limit = Date.now() - IDLE_POOL_MS;
    for (const [origin, { pool, usedAt }] of this.#pools) {
      if (usedAt > limit || pool.stats.running > 0) continue;
      this.#pools.delete(origin);
      void pool.close();
    }
  }
}

function hostOf(request: Request): string {
  const authority = (request.headers[':authority'] as string | undefined) ?? request.headers.host ?? '';
  return authority.startsWith('[') ? authority.slice(0, authority.indexOf(']') + 1) : authority.replace(/:\d+$/, '');
}

/** The client's headers and who it was, for the backend. */
function forwardedHeaders(request: Request, secure: boolean): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  const dropped = new Set(
    String(request.headers.connection ?? '')
      .toLowerCase()
      .split(/\s*,\s*/),
  );
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':') && !HOP_BY_HOP.has(name) && !dropped.has(name))
      headers[name] = value;
  }
  const host = (request.headers[':authority'] as string | undefined) ?? request.headers.host ?? '';
  const client = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  headers.host = host;
  headers['x-real-ip'] = client;
  headers['x-forwarded-for'] = client;
  headers['x-forwarded-host'] = host;
  headers['x-forwarded-proto'] = secure ? 'https' : 'http';
  return headers;
}

function refuse(response: Response, status: number, text: string): void {
  const respond = response as ServerResponse;
  respond.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  respond.end(`${text}\n`);
}

function rawHeaderLines(raw: readonly string[]): string {
  let lines = '';
  for (let i = 0; i + 1 < raw.length; i += 2) lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return lines;
}
