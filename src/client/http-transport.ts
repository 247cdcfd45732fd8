import { readFile } from 'node:fs/promises';
import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { Logger } from '../apimachinery/logger.ts';
import type { Status, UnstructuredObject, WatchEvent } from '../apimachinery/meta.ts';
import { StatusError } from '../apimachinery/status-error.ts';
import type { ApiRequest, ApiResponse, Transport, WatchStream } from '../apimachinery/transport.ts';
import { createHttpSessions, type HttpSessionOptions } from './http-session.ts';
import { createLineSplitter } from './line-splitter.ts';

export interface HttpTransportOptions extends HttpSessionOptions {
  readonly token?: string;
  /** Read again every minute, for bound tokens are rotated in place. */
  readonly tokenFile?: string;
  readonly userAgent?: string;
  readonly logger: Logger;
  /** Of a request that carries no signal; watches have none. */
  readonly requestTimeoutMs?: number;
}

const TOKEN_LIFETIME_MS = 60_000;
const REQUEST_TIMEOUT_MS = 60_000;
const NO_ERROR = 0;
const CANCEL = 8;

/** The API over HTTP/2 and TLS. Connects on first use and again whenever the connection is lost. */
export function createHttpTransport(options: HttpTransportOptions): Transport {
  const sessions = createHttpSessions(options);
  const url = new URL(options.server);
  const basePath = url.pathname.replace(/\/$/, '');
  const bearer = createBearer(options);

  async function headersOf(request: ApiRequest, query: string): Promise<Record<string, string>> {
    const token = await bearer();
    return {
      ':method': request.method,
      ':path': `${basePath}${request.path}${query}`,
      accept: 'application/json',
      'user-agent': options.userAgent ?? 'k8ts',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
      ...request.headers,
    };
  }

  return {
    async request<T>(request: ApiRequest): Promise<ApiResponse<T>> {
      request.signal?.throwIfAborted();
      const body = request.body === undefined ? undefined : JSON.stringify(request.body);
      const headers = await headersOf(request, queryString(request.query));
      const stream = await sessions.open(headers, body === undefined);
      const release = abortWith(stream, request.signal, options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS);
      try {
        if (body !== undefined) stream.end(body);
        const response = await responseOf(stream);
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        const text = Buffer.concat(chunks).toString('utf8');
        const status = Number(response[':status']);
        const value = parseBody(text, response);
        if (status >= 400) throw statusErrorOf(status, value, text, response);
        return { status, body: value as T, warnings: warningsOf(response) };
      } catch (error) {
        if (request.signal?.aborted) throw request.signal.reason;
        throw error;
      } finally {
        release();
      }
    },

    watch(request, onEvents): WatchStream {
      let stopped = false;
      let stream: ClientHttp2Stream | undefined;
      const stop = () => {
        stopped = true;
        stream?.close(CANCEL);
      };
      const run = async () => {
        if (request.signal?.aborted) return;
        const headers = await headersOf(request, queryString({ ...request.query, watch: true }));
        stream = await sessions.open(headers, true);
        if (stopped) return stop();
        await consume(stream, onEvents);
      };
      request.signal?.addEventListener('abort', stop, { once: true });
      const done = run()
        .catch((error: unknown) => {
          if (!stopped) throw error;
        })
        .finally(() => request.signal?.removeEventListener('abort', stop));
      return { done, stop };
    },

    close: () => sessions.close(),
  };
}

async function consume(
  stream: ClientHttp2Stream,
  onEvents: (events: readonly WatchEvent<UnstructuredObject>[]) => void,
): Promise<void> {
  const response = await responseOf(stream);
  const status = Number(response[':status']);
  if (status >= 400) {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    throw statusErrorOf(status, parseBody(text, response), text, response);
  }
  const split = createLineSplitter();
  try {
    for await (const chunk of stream) {
      const events: WatchEvent<UnstructuredObject>[] = [];
      let failure: StatusError | undefined;
      for (const line of split(chunk as Buffer)) {
        const event = JSON.parse(line) as WatchEvent<UnstructuredObject>;
        if (event.type === 'ERROR') failure = new StatusError(event.object as unknown as Status);
        else events.push(event);
      }
      if (events.length > 0) onEvents(events);
      if (failure) throw failure;
    }
  } finally {
    if (!stream.closed) stream.close(CANCEL);
  }
}

function responseOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders & IncomingHttpStatusHeader> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the connection was closed before an answer came')));
  });
}

function abortWith(stream: ClientHttp2Stream, signal: AbortSignal | undefined, timeoutMs: number): () => void {
  const onAbort = () => stream.close(CANCEL);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => stream.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  timer.unref();
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    if (!stream.closed) stream.close(NO_ERROR);
  };
}

function createBearer({ token, tokenFile }: HttpTransportOptions): () => Promise<string | undefined> {
  if (!tokenFile) return async () => token;
  let current: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt < TOKEN_LIFETIME_MS) return current;
    try {
      current = (await readFile(tokenFile, 'utf8')).trim();
      readAt = performance.now();
    } catch (error) {
      // A token that was read before may still be good.
      if (current === undefined) throw error;
    }
    return current;
  };
}

export function queryString(query: ApiRequest['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const item of value as readonly string[]) parameters.append(name, item);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text ? `?${text}` : '';
}

function parseBody(text: string, headers: IncomingHttpHeaders): unknown {
  if (!text) return undefined;
  if (!headers['content-type']?.includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function statusErrorOf(code: number, body: unknown, text: string, headers: IncomingHttpHeaders): StatusError {
  if (typeof body === 'object' && body !== null && (body as { kind?: unknown }).kind === 'Status')
    return new StatusError({ code, ...(body as Status) });
  const retryAfter = Number(headers['retry-after']);
  return new StatusError({
    code,
    reason: REASONS[code] ?? (code >= 500 ? 'InternalError' : 'Unknown'),
    message: text.slice(0, 2048) || `the server answered ${code}`,
    ...(Number.isFinite(retryAfter) ? { details: { retryAfterSeconds: retryAfter } } : {}),
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
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** `Warning: 299 - "text"`, one or many, quotes escaped with a backslash. */
function warningsOf(headers: IncomingHttpHeaders): string[] {
  const header = headers.warning;
  if (!header) return [];
  const text = Array.isArray(header) ? header.join(', ') : String(header);
  return [...text.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => (match[1] ?? '').replace(/\\(.)/g, '$1'));
}
