import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import type { RequestHeaders } from '../request/request-context.ts';
import type { HttpExchange, ResponseHeaders } from './http-exchange.ts';
import { readBody } from './read-body.ts';

const MAX_PENDING_BYTES = 64 * 1024;

export class Http2Exchange implements HttpExchange {
  readonly httpVersion = '2';
  readonly method: string;
  readonly path: string;
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  readonly clientCertificate: Uint8Array | undefined;
  readonly upgrade = undefined;
  readonly #stream: ServerHttp2Stream;
  #abort: AbortController | undefined;
  #ended = false;
  sentBytes = 0;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, clientCertificate: Uint8Array | undefined) {
    this.#stream = stream;
    this.headers = headers;
    this.clientCertificate = clientCertificate;
    this.method = headers[':method'] ?? 'GET';
    const url = headers[':path'] ?? '/';
    const question = url.indexOf('?');
    this.path = question < 0 ? url : url.slice(0, question);
    this.rawQuery = question < 0 ? '' : url.slice(question + 1);
  }

  get remoteAddress(): string | undefined {
    return this.#stream.session?.socket.remoteAddress;
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      const controller = new AbortController();
      this.#abort = controller;
      if (this.#stream.destroyed) controller.abort();
      else
        this.#stream.once('close', () => {
          // Node ends the writable side of a stream that the client has reset.
          if (!this.#ended || !this.#stream.writableFinished) controller.abort();
        });
    }
    return this.#abort.signal;
  }

  get hasBody(): boolean {
    return !this.#stream.endAfterHeaders;
  }

  get input(): Readable {
    return this.#stream;
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get finished(): boolean {
    return this.#stream.destroyed || this.#stream.closed || this.#stream.writableEnded;
  }

  readBody(limit: number): Promise<Buffer> {
    return readBody(this.#stream, this.headers['content-length'] as string | undefined, limit);
  }

  send(status: number, headers: ResponseHeaders, body: Uint8Array | string = ''): void {
    if (this.finished) return;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    headers['content-length'] = length;
    this.sentBytes += length;
    headers[':status'] = status;
    this.#ended = true;
    this.#stream.respond(headers as Record<string, string>);
    if (this.method === 'HEAD') this.#stream.end();
    else this.#stream.end(body);
    // The rest of a body that is too large, or too slow, is not worth receiving.
    if (status === 413 || status === 504) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  writeHead(status: number, headers: ResponseHeaders): void {
    if (this.finished) return;
    headers[':status'] = status;
    this.#stream.respond(headers as Record<string, string>);
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.finished) return true;
    this.sentBytes += chunk.length;
    return this.#stream.write(chunk);
  }

  drained(): Promise<void> {
    if (this.finished) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#stream.off('drain', done).off('close', done);
        resolve();
      };
      this.#stream.on('drain', done).on('close', done);
    });
  }

  flush(chunk: Uint8Array): Promise<boolean> {
    if (this.finished) return Promise.resolve(false);
    this.sentBytes += chunk.length;
    return new Promise((resolve) => {
      const onClose = () => resolve(false);
      this.#stream.once('close', onClose);
      this.#stream.write(chunk, (error) => {
        this.#stream.off('close', onClose);
        resolve(!error);
      });
    });
  }

  end(chunk?: Uint8Array | string): void {
    if (this.finished) return;
    this.#ended = true;
    this.#stream.end(chunk);
  }

  sent(): Promise<void> | undefined {
    if (this.#stream.destroyed || this.#stream.writableLength <= MAX_PENDING_BYTES) return undefined;
    return new Promise((resolve) => this.#stream.once('finish', resolve).once('close', resolve));
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}
