import { type IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { HttpExchange } from './http-exchange.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { Http2Exchange } from './http2-exchange.ts';

export interface TlsMaterial {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** CAs of client certificates. */
  readonly clientCA?: string | Buffer | readonly (string | Buffer)[];
}

export interface HttpListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsMaterial;
  /** Answers; it must not throw. */
  readonly onExchange: (exchange: HttpExchange) => void;
}

const MAX_HEADER_BYTES = 64 * 1024;
const HEADERS_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 120_000;
const IDLE_TIMEOUT_MS = 180_000;
/** In a GOAWAY: any stream may still come. */
const MAX_STREAM_ID = 2 ** 31 - 1;
/** For requests that were on their way when the client was told of the end. */
const NOTICE_MS = 30;

/** HTTP/1.1 and HTTP/2 over TLS on one port; a client certificate is asked for and not required. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Http2SecureServer;
  /** The TCP connections, those that are still shaking hands too. */
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #active = 0;
  #onIdle: (() => void) | undefined;
  #ending: Promise<void> | undefined;
  readonly #certificates = new WeakMap<object, { readonly raw: Uint8Array | undefined }>();

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#server = createSecureServer({
      allowHTTP1: true,
      ...secureContext(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      maxHeaderSize: MAX_HEADER_BYTES,
      maxSessionMemory: 256,
      settings: { maxConcurrentStreams: 1000, initialWindowSize: 1024 * 1024, maxHeaderListSize: MAX_HEADER_BYTES },
    } as Parameters<typeof createSecureServer>[0]);
    const server = this.#server;
    Object.assign(server, {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
    });
    server.on('request', (request: unknown, response: unknown) =>
      this.#onHttp1(request as IncomingMessage, response as ServerResponse),
    );
    // The listener above makes Node wrap HTTP/2 streams as requests too; they are handled as streams here.
    server.removeAllListeners('stream');
    server.on('stream', (stream, headers) => this.#onHttp2(stream, headers));
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#onUpgrade(request, socket, head),
    );
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      session.on('error', () => undefined);
      if (this.#ending) session.close();
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('secureConnection', (socket) => {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    });
    server.on('clientError', (_error: Error, socket: Duplex) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
      else socket.destroy();
    });
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.on('unknownProtocol', (socket) => socket.destroy());
  }

  /** Rejects with Node's error (EADDRINUSE, EACCES) when it cannot listen. */
  start(): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => undefined);
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** New connections get the new certificate. */
  renew(tls: TlsMaterial): void {
    this.#server.setSecureContext(secureContext(tls));
  }

  /** Takes no new connections, and tells clients to make their next requests on another; what comes all the same is served. */
  announceEnd(): void {
    if (this.#ending) return;
    this.#ending = new Promise((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions)
      if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, MAX_STREAM_ID);
  }

  /** Takes no new connections, lets answers on their way end for up to `graceMs`, and closes all connections. */
  async stop(graceMs: number): Promise<void> {
    this.announceEnd();
    if (this.#sessions.size > 0) await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
    for (const session of this.#sessions) session.close();
    if (this.#active > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        timer = setTimeout(resolve, graceMs);
      });
      clearTimeout(timer);
    }
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await this.#ending;
  }

  /** Counts an answer on its way until `end` emits `close`. */
  #track(end: { once(event: 'close', listener: () => void): unknown }): void {
    this.#active++;
    end.once('close', () => {
      if (--this.#active === 0) this.#onIdle?.();
    });
  }

  #onHttp1(request: IncomingMessage, response: ServerResponse): void {
    this.#track(response);
    if (this.#ending) response.shouldKeepAlive = false;
    this.#options.onExchange(new Http1Exchange(request, response, this.#certificateOf(request.socket as TLSSocket)));
  }

  #onHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#track(stream);
    const socket = stream.session?.socket;
    this.#options.onExchange(
      new Http2Exchange(stream, headers, socket && this.#certificateOf(socket as TLSSocket, stream.session)),
    );
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const response = new ServerResponse(request);
    response.assignSocket(socket as TLSSocket);
    // A refusal is an ordinary response; nothing comes after it on this connection.
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    const certificate = this.#certificateOf(socket as TLSSocket);
    this.#options.onExchange(new Http1Exchange(request, response, certificate, { socket, head }));
  }

  #certificateOf(socket: TLSSocket, key: object = socket): Uint8Array | undefined {
    let known = this.#certificates.get(key);
    if (!known) {
      known = { raw: socket.authorized ? socket.getPeerCertificate()?.raw : undefined };
      this.#certificates.set(key, known);
    }
    return known.raw;
  }
}

function secureContext({ cert, key, clientCA }: TlsMaterial) {
  return { cert, key, ...(clientCA ? { ca: clientCA as string[] } : {}) };
}
