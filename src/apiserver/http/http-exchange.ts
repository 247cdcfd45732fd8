import type { Duplex, Readable } from 'node:stream';
import type { RequestHeaders } from '../request/request-context.ts';

export type ResponseHeaders = Record<string, string | number | readonly string[]>;

/** One HTTP request and its response, the same over HTTP/1.1 and HTTP/2. */
export interface HttpExchange {
  readonly httpVersion: '1.1' | '2';
  readonly method: string;
  /** Without query, still encoded. */
  readonly path: string;
  /** Without the question mark. */
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  readonly remoteAddress: string | undefined;
  /** DER, verified against the client CA. */
  readonly clientCertificate: Uint8Array | undefined;
  /** Aborted when the client goes away before the end of the response. */
  readonly signal: AbortSignal;
  /** Whether the request has a body, be it empty. */
  readonly hasBody: boolean;
  /** The request body, for handlers that stream it. */
  readonly input: Readable;
  /** Set on an HTTP/1.1 upgrade: the connection is the handler's. */
  readonly upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined;
  readonly headersSent: boolean;
  /** Whether the client is gone or the response is complete. */
  readonly finished: boolean;
  /** Of the body, so far. */
  readonly sentBytes: number;

  /** Throws StatusError 413 beyond `limit` bytes. */
  readBody(limit: number): Promise<Buffer>;
  /** Head and body at once. */
  send(status: number, headers: ResponseHeaders, body?: Uint8Array | string): void;
  /** `withBody`: it may wait for the first of the body, which comes at once. */
  writeHead(status: number, headers: ResponseHeaders, withBody?: boolean): void;
  /** False: the connection is full; wait for `drained` before the next. */
  write(chunk: Uint8Array | string): boolean;
  /** Also resolves when the client goes away. */
  drained(): Promise<void>;
  /** Writes a chunk; resolves when the connection needs its memory no more, or with false when the client goes away. */
  flush(chunk: Uint8Array): Promise<boolean>;
  end(chunk?: Uint8Array | string): void;
  /** Undefined when little of what was written waits in memory; else resolves when it does not, or the client is gone. */
  sent(): Promise<void> | undefined;
  destroy(): void;
}
