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
import { RequestTurns } from './request-turns.ts';

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
  /** Of HTTP/2 requests whose clients are told to make their next ones on another connection, from 0 to 1. */
  readonly goawayChance?: number;
  /** Answers; it must not throw. */
  readonly onExchange: (exchange: HttpExchange) => void;
}

/** Of a request line with its headers. */
const MAX_HEADER_BYTES = 128 * 1024;
/** Impersonation says a group in each. */
const MAX_HEADERS = 2000;
/** Requests of one HTTP/1.1 connection that may wait for the answers before theirs. */
const MAX_PIPELINED = 1000;
/** Of one HTTP/2 connection at once. Each costs some 50 us when it comes, and what has come is taken in one go. */
const MAX_STREAMS = 250;
const HEADERS_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 120_000;
const IDLE_TIMEOUT_MS = 90_000;
/** In a GOAWAY: any stream may still come. */
const MAX_STREAM_ID = 2 ** 31 - 1;
const MALFORMED: ReadonlyMap<string | undefined, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
]);
/** For requests that were on their way when the client was told of the end. */
const NOTICE_MS = 30;
/** How long a client that was refused may go on sending before its connection is cut. */
const LINGER_MS = 1000;

/** HTTP/1.1 and HTTP/2 over TLS on one port; a client certificate is asked for and not required. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Http2SecureServer;
  /** The TCP connections, those that are still shaking hands too. */
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** How many are open now. */
  readonly #streams = new WeakMap<ServerHttp2Session, number>();
  /** Of HTTP/1.1 connections that a request of is answered now, what begins the next ones. */
  readonly #pipelines = new Map<Socket, (() => void)[]>();
  readonly #turns = new RequestTurns<Socket | ServerHttp2Session>((connection) => {
    this.floods++;
    if ('goaway' in connection) connection.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    else connection.destroy();
  });
  failedHandshakes = 0;
  floods = 0;
  #active = 0;
  #onIdle: (() => void) | undefined;
  #ending: Promise<void> | undefined;
  #leaving = false;
  readonly #certificates = new WeakMap<object, { readonly raw: Uint8Array | undefined }>();

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#server = createSecureServer({
      allowHTTP1: true,
      ...secureContext(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      maxHeaderListPairs: MAX_HEADERS,
      handshakeTimeout: HEADERS_TIMEOUT_MS,
      maxSessionMemory: 256,
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        initialWindowSize: 1024 * 1024,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
    } as Parameters<typeof createSecureServer>[0]);
    const server = this.#server;
    Object.assign(server, {
      maxHeaderSize: MAX_HEADER_BYTES,
      maxHeadersCount: MAX_HEADERS,
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
      session.once('close', () => {
        this.#sessions.delete(session);
        this.#turns.forget(session);
      });
      session.on('error', () => undefined);
      session.setTimeout(IDLE_TIMEOUT_MS, () => {
        if (!this.#streams.get(session)) session.close();
      });
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
    const refused = new WeakSet<Duplex>();
    server.on('clientError', (error: Error & { code?: string }, socket: Duplex) => {
      // What still comes after the answer is read and forgotten.
      if (refused.has(socket)) return;
      if (!socket.writable) return void socket.destroy();
      refused.add(socket);
      const status = MALFORMED.get(error.code) ?? '400 Bad Request';
      const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n`;
      socket.end(head + status);
      // Closed at once, with input unread, the connection would be reset, and the answer might never be seen.
      const linger = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once('close', () => clearTimeout(linger));
    });
    server.on('tlsClientError', (_error, socket) => {
      this.failedHandshakes++;
      socket.destroy();
    });
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
    this.#leave();
  }

  /** Tells clients the same, but still listens; resolves when answers on their way have ended, after `graceMs` at most. */
  async drain(graceMs: number): Promise<void> {
    this.#leave();
    await this.#idle(graceMs);
  }

  #leave(): void {
    this.#leaving = true;
    for (const session of this.#sessions)
      if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, MAX_STREAM_ID);
  }

  async #idle(graceMs: number): Promise<void> {
    if (this.#active === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = setTimeout(resolve, graceMs);
    });
    clearTimeout(timer);
  }

  /** Takes no new connections, lets answers on their way end for up to `graceMs`, and closes all connections. */
  async stop(graceMs: number): Promise<void> {
    this.announceEnd();
    if (this.#sessions.size > 0) await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
    for (const session of this.#sessions) session.close();
    await this.#idle(graceMs);
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await this.#ending;
  }

  #ended(): void {
    if (--this.#active === 0) this.#onIdle?.();
  }

  #onHttp1(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (socket.destroyed) return;
    // Of one that waits nobody would hear when the connection closes.
    const begin = () => {
      this.#active++;
      response.once('close', () => {
        this.#ended();
        this.#afterHttp1(socket);
      });
      this.#turns.add(socket, {
        get over() {
          return socket.destroyed;
        },
        begin: () => {
          if (this.#leaving) response.shouldKeepAlive = false;
          this.#options.onExchange(new Http1Exchange(request, response, this.#certificateOf(socket as TLSSocket)));
        },
      });
    };
    const waiting = this.#pipelines.get(socket);
    if (!waiting) {
      this.#pipelines.set(socket, []);
      begin();
      return;
    }
    // Node's parser reads on past a stream that is paused: there is no other way to stop it.
    if (waiting.push(begin) > MAX_PIPELINED) socket.destroy();
  }

  #afterHttp1(socket: Socket): void {
    const waiting = this.#pipelines.get(socket);
    const next = waiting?.shift();
    if (!next || socket.destroyed) this.#pipelines.delete(socket);
    else next();
  }

  #onHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // Before its turn comes, too, it may break off.
    stream.on('error', () => undefined);
    const session = stream.session as ServerHttp2Session | undefined;
    if (!session || session.destroyed) return;
    this.#active++;
    this.#streams.set(session, (this.#streams.get(session) ?? 0) + 1);
    stream.once('close', () => {
      this.#ended();
      this.#streams.set(session, this.#streams.get(session)! - 1);
    });
    const { goawayChance = 0 } = this.#options;
    if (goawayChance > 0 && Math.random() < goawayChance) session.goaway(constants.NGHTTP2_NO_ERROR, MAX_STREAM_ID);
    this.#turns.add(session, {
      get over() {
        return stream.closed || stream.destroyed;
      },
      begin: () => {
        const socket = session.destroyed ? undefined : session.socket;
        const certificate = socket && this.#certificateOf(socket as TLSSocket, session);
        this.#options.onExchange(new Http2Exchange(stream, headers, certificate));
      },
    });
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
