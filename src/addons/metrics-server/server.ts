import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '../../apimachinery/logger.ts';
import { StatusError, unauthorized } from '../../apimachinery/status-error.ts';
import type { MetricsApi } from './metrics-api.ts';

export interface MetricsServerOptions {
  readonly api: MetricsApi;
  readonly logger: Logger;
  readonly bindAddress: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly certificate: { readonly cert: string; readonly key: string };
  /** PEM. Only a caller with a certificate of this authority, the API server's front proxy, gets metrics. */
  readonly clientCA: string;
}

const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;

/** The API over HTTPS. The API server has authenticated and authorized the user before it asks here. */
export class MetricsHttpsServer {
  readonly #options: MetricsServerOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { certificate, clientCA, bindAddress, port } = this.#options;
    const server = createServer(
      {
        ...certificate,
        ca: clientCA,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
        requestTimeout: TIMEOUT_MS,
        headersTimeout: TIMEOUT_MS,
      },
      (request, response) => this.#serve(request, response),
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', (error) => this.#options.logger.debug({ err: error }, 'a TLS handshake failed'));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, bindAddress, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#options.logger.error({ err: error }, 'the metrics server has an error'));
        resolve();
      });
    });
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const url = new URL(request.url ?? '/', 'https://metrics-server');
    if (['/healthz', '/livez', '/readyz'].includes(url.pathname)) {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok');
      return;
    }
    try {
      if (!(request.socket as TLSSocket).authorized) {
        const { code, status } = unauthorized();
        send(response, code, 'application/json', status);
        return;
      }
      const { status, contentType, body } = this.#options.api({
        method: request.method ?? 'GET',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        ...(request.headers.accept === undefined ? {} : { accept: request.headers.accept }),
      });
      send(response, status, contentType, body);
    } catch (error) {
      this.#options.logger.error({ err: error, path: url.pathname }, 'a metrics request failed');
      send(
        response,
        500,
        'application/json',
        new StatusError({ code: 500, reason: 'InternalError', message: 'Internal error occurred' }).status,
      );
    }
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      'content-type': contentType,
      'content-length': bytes.length,
      'cache-control': 'no-cache, private',
    })
    .end(bytes);
}
