import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Status } from '../apimachinery/meta.ts';
import { entityTooLarge, StatusError } from '../apimachinery/status-error.ts';
import type { HttpExchange, ResponseHeaders } from './http/http-exchange.ts';
import type { RequestHeaders } from './request/request-context.ts';

export interface InProcessExchangeOptions {
  readonly method: string;
  readonly path: string;
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  /** Sent as JSON. */
  readonly body: unknown;
  readonly contentType: string;
  readonly signal: AbortSignal;
  /** Text as it comes, in place of `text`. Of successful answers only. */
  readonly onText?: (text: string) => void;
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** What proxying handlers answer on when the client is in the process: the answer is gathered instead of sent. */
export class InProcessExchange implements HttpExchange {
  readonly httpVersion = '1.1';
  readonly method: string;
  readonly path: string;
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  readonly remoteAddress = undefined;
  readonly clientCertificate = undefined;
  readonly upgrade = undefined;
  readonly signal: AbortSignal;
  readonly #given: AbortSignal;
  readonly #leave = new AbortController();
  readonly #body: Buffer | undefined;
  readonly #onText: ((text: string) => void) | undefined;
  readonly #decoder = new StringDecoder('utf8');
  #text = '';
  #bytes = 0;
  #ended = false;
  #brokenOff = false;
  #failure: unknown;
  status = 0;
  contentType = '';

  constructor(options: InProcessExchangeOptions) {
    this.method = options.method;
    this.path = options.path;
    this.rawQuery = options.rawQuery;
    this.#given = options.signal;
    this.signal = AbortSignal.any([options.signal, this.#leave.signal]);
    this.#onText = options.onText;
    this.#body = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body));
    this.headers = {
      accept: 'application/json',
      ...options.headers,
      ...(this.#body ? { 'content-type': options.contentType, 'content-length': String(this.#body.length) } : {}),
    };
  }

  get hasBody(): boolean {
    return this.#body !== undefined;
  }

  get input(): Readable {
    return Readable.from(this.#body ? [this.#body] : []);
  }

  get headersSent(): boolean {
    return this.status !== 0;
  }

  get finished(): boolean {
    return this.#ended || this.#brokenOff || this.signal.aborted;
  }

  get sentBytes(): number {
    return this.#bytes;
  }

  /** The gathered answer. Throws StatusError for a status of 400 and above, what `onText` threw, and when it was broken off. */
  result(): { readonly status: number; readonly body: unknown } {
    if (this.#failure) throw this.#failure;
    if (this.#given.aborted) throw this.#given.reason;
    if (this.#brokenOff || !this.#ended) throw new Error('the answer was broken off');
    const body = this.contentType.includes('json') ? parsed(this.#text) : this.#text;
    if (this.status >= 400) throw failure(this.status, body, this.#text);
    return { status: this.status, body };
  }

  async readBody(limit: number): Promise<Buffer> {
    if (this.#body && this.#body.length > limit) throw entityTooLarge(limit);
    return this.#body ?? Buffer.alloc(0);
  }

  send(status: number, headers: ResponseHeaders, body?: Uint8Array | string): void {
    this.writeHead(status, headers);
    this.end(body);
  }

  writeHead(status: number, headers: ResponseHeaders): void {
    this.status = status;
    this.contentType = String(headers['content-type'] ?? '');
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.finished) return true;
    const text = typeof chunk === 'string' ? chunk : this.#decoder.write(chunk as Buffer);
    if (this.#onText && this.status < 400) this.#handOn(text, this.#onText);
    else {
      this.#bytes += chunk.length;
      if (this.#bytes > MAX_ANSWER_BYTES) this.destroy();
      else this.#text += text;
    }
    return true;
  }

  #handOn(text: string, onText: (text: string) => void): void {
    try {
      onText(text);
    } catch (error) {
      this.#failure = error;
      this.destroy();
    }
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  async flush(chunk: Uint8Array): Promise<boolean> {
    this.write(chunk);
    return !this.finished;
  }

  sent(): undefined {
    return undefined;
  }

  end(chunk?: Uint8Array | string): void {
    if (chunk !== undefined) this.write(chunk);
    this.#ended = true;
  }

  destroy(): void {
    this.#brokenOff = true;
    this.#leave.abort();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What the other server says; of a plain text a Status is made by its code. */
function failure(code: number, body: unknown, text: string): StatusError {
  if (typeof body === 'object' && body !== null && (body as { kind?: unknown }).kind === 'Status')
    return new StatusError({ code, ...(body as Status) });
  return new StatusError({
    code,
    reason: REASONS[code] ?? (code >= 500 ? 'InternalError' : 'Unknown'),
    message: text.trim().slice(0, 2048) || `the server answered ${code}`,
  });
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
