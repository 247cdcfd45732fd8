import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { RequestHeaders } from '../request/request-context.ts';
import type { HttpExchange, ResponseHeaders } from './http-exchange.ts';
import { readBody } from './read-body.ts';

const MAX_PENDING_BYTES = 64 * 1024;

export class Http1Exchange implements HttpExchange {
  readonly httpVersion = '1.1';
  readonly path: string;
  readonly rawQuery: string;
  readonly clientCertificate: Uint8Array | undefined;
  readonly upgrade: HttpExchange['upgrade'];
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #abort: AbortController | undefined;
  sentBytes = 0;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    clientCertificate: Uint8Array | undefined,
    upgrade?: { socket: Duplex; head: Buffer },
  ) {
    this.#request = request;
    this.#response = response;
    this.clientCertificate = clientCertificate;
    this.upgrade = upgrade;
    const url = request.url ?? '/';
    const question = url.indexOf('?');
    this.path = question < 0 ? url : url.slice(0, question);
    this.rawQuery = question < 0 ? '' : url.slice(question + 1);
    response.on('error', () => undefined);
  }

  get method(): string {
    return this.#request.method ?? 'GET';
  }

  get headers(): RequestHeaders {
    return this.#request.headers;
  }

  get remoteAddress(): string | undefined {
    return this.#request.socket.remoteAddress;
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      const controller = new AbortController();
      this.#abort = controller;
      if (this.#request.socket.destroyed) controller.abort();
      else {
        this.#response.once('close', () => {
          if (!this.#response.writableFinished) controller.abort();
        });
        this.upgrade?.socket.once('close', () => controller.abort());
      }
    }
    return this.#abort.signal;
  }

  get hasBody(): boolean {
    const length = this.headers['content-length'];
    return (length !== undefined && length !== '0') || this.headers['transfer-encoding'] !== undefined;
  }

  get input(): Readable {
    return this.#request;
  }

  get headersSent(): boolean {
    return this.#response.headersSent;
  }

  get finished(): boolean {
    return this.#response.writableEnded || this.#response.destroyed || this.#request.socket.destroyed;
  }

  readBody(limit: number): Promise<Buffer> {
    return readBody(this.#request, this.#request.headers['content-length'], limit);
  }

  send(status: number, headers: ResponseHeaders, body: Uint8Array | string = ''): void {
    if (this.finished) return;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    headers['content-length'] = length;
    this.sentBytes += length;
    // What is left of a body that was given up in the middle would be waited for. One that nobody looked at is passed over.
    if (status === 413 || status === 504) headers.connection = 'close';
    this.#response.writeHead(status, headers as Record<string, string>);
    this.#response.end(this.method === 'HEAD' ? undefined : body);
  }

  writeHead(status: number, headers: ResponseHeaders, withBody = false): void {
    if (this.finished) return;
    this.#response.writeHead(status, headers as Record<string, string>);
    if (!withBody) this.#response.flushHeaders();
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.finished) return true;
    this.sentBytes += chunk.length;
    return this.#response.write(chunk);
  }

  drained(): Promise<void> {
    if (this.finished) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#response.off('drain', done).off('close', done);
        resolve();
      };
      this.#response.on('drain', done).on('close', done);
    });
  }

  flush(chunk: Uint8Array): Promise<boolean> {
    if (this.finished) return Promise.resolve(false);
    this.sentBytes += chunk.length;
    return new Promise((resolve) => {
      const onClose = () => resolve(false);
      this.#response.once('close', onClose);
      this.#response.write(chunk, (error) => {
        this.#response.off('close', onClose);
        resolve(!error);
      });
    });
  }

  end(chunk?: Uint8Array | string): void {
    if (!this.finished) this.#response.end(chunk);
  }

  sent(): Promise<void> | undefined {
    const { socket } = this.#request;
    if (socket.destroyed || socket.writableLength <= MAX_PENDING_BYTES) return undefined;
    return new Promise((resolve) => this.#response.once('finish', resolve).once('close', resolve));
  }

  destroy(): void {
    this.#request.socket.destroy();
  }
}
