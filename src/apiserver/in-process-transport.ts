import { apiVersionOf, type Status, type UnstructuredObject, type WatchEvent } from '../apimachinery/meta.ts';
import { badRequest, internalError, isStatusError, StatusError } from '../apimachinery/status-error.ts';
import type { ApiRequest, ApiResponse, Transport, WatchStream } from '../apimachinery/transport.ts';
import type { UserInfo } from '../sdk/user.ts';
import { InProcessExchange } from './in-process-exchange.ts';
import type { IncomingRequest } from './request/request-chain.ts';
import type { RequestHeaders } from './request/request-context.ts';
import type { ListResult, Result, TakeOverResult, WatchResult } from './request/result.ts';
import type { RunningWatch } from './watch-cache/watch.ts';

const never = new AbortController().signal;
const decoder = new TextDecoder();

/**
 * The API without sockets and without JSON: same paths, same authorization and admission. Objects that come out are the
 * server's own, shared and frozen.
 */
export class InProcessTransport implements Transport {
  readonly #handle: (request: IncomingRequest) => Promise<Result>;
  readonly #user: UserInfo;
  readonly #headers: RequestHeaders;
  readonly #watches = new Set<WatchStream>();

  constructor(handle: (request: IncomingRequest) => Promise<Result>, user: UserInfo, userAgent: string) {
    this.#handle = handle;
    this.#user = user;
    this.#headers = { 'user-agent': userAgent };
  }

  async request<T = unknown>(request: ApiRequest): Promise<ApiResponse<T>> {
    const warnings: string[] = [];
    const result = await this.#send(request, request.query, warnings);
    const { status, body } =
      result.type === 'takeOver'
        ? await this.#exchange(result, request, request.query, request.signal ?? never)
        : bodyOf(result);
    return { status, body: body as T, warnings };
  }

  watch(request: ApiRequest, onEvents: (events: readonly WatchEvent<UnstructuredObject>[]) => void): WatchStream {
    let running: Pick<RunningWatch, 'stop'> | undefined;
    let stopped = false;
    const done = (async () => {
      const query = { ...request.query, watch: true };
      const result = await this.#send(request, query, []);
      if (result.type === 'takeOver') {
        const abort = new AbortController();
        running = { stop: () => abort.abort() };
        if (!stopped) await this.#exchange(result, request, query, abort.signal, eventsFrom(onEvents));
        return;
      }
      if (result.type !== 'watch') throw badRequest(`${request.path} cannot be watched`);
      if (!stopped)
        await follow(result, onEvents, (started) => {
          running = started;
          if (stopped) started.stop();
        });
    })();
    const stop = () => {
      stopped = true;
      running?.stop();
    };
    request.signal?.addEventListener('abort', stop, { once: true });
    if (request.signal?.aborted) stop();
    const stream: WatchStream = { done, stop };
    this.#watches.add(stream);
    const forget = () => {
      this.#watches.delete(stream);
      request.signal?.removeEventListener('abort', stop);
    };
    done.then(forget, forget);
    return stream;
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
  }

  /** Another server answers: what it sends is gathered, or handed on as it comes. */
  async #exchange(
    { run }: TakeOverResult,
    { method, path, body, contentType = 'application/json', headers }: ApiRequest,
    query: ApiRequest['query'],
    signal: AbortSignal,
    onText?: (text: string) => void,
  ): Promise<{ status: number; body: unknown }> {
    const exchange = new InProcessExchange({
      method,
      path,
      rawQuery: searchParams(query).toString(),
      headers: headers ? { ...this.#headers, ...lowerCase(headers) } : this.#headers,
      body,
      contentType,
      signal,
      ...(onText ? { onText } : {}),
    });
    await run(exchange).catch((error) => {
      if (!signal.aborted) throw isStatusError(error) ? error : internalError(error.message);
    });
    // A watch that was stopped has no result.
    if (onText && signal.aborted) return { status: 200, body: undefined };
    return exchange.result();
  }

  #send(request: ApiRequest, query: ApiRequest['query'], warnings: string[]): Promise<Result> {
    const contentType = request.contentType ?? 'application/json';
    return this.#handle({
      method: request.method,
      path: request.path,
      query: searchParams(query),
      headers: request.headers ? { ...this.#headers, ...lowerCase(request.headers) } : this.#headers,
      user: this.#user,
      signal: request.signal ?? never,
      readBody: async () => ({ contentType, object: request.body }),
      warnings,
    }).catch((error) => {
      if (isStatusError(error)) throw error;
      if (request.body !== undefined && isStackOverflow(error))
        throw badRequest("couldn't get version/kind; json parse error: exceeded max depth");
      throw internalError(error instanceof Error ? error.message : String(error), error);
    });
  }
}

/** Events out of the lines of a watch. An ERROR event is thrown as StatusError. */
function eventsFrom(onEvents: (events: readonly WatchEvent<UnstructuredObject>[]) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    const events: WatchEvent<UnstructuredObject>[] = [];
    let failure: StatusError | undefined;
    for (const line of lines) {
      if (line.trim() === '') continue;
      const event = JSON.parse(line) as WatchEvent<UnstructuredObject>;
      if (event.type === 'ERROR') failure = new StatusError(event.object as unknown as Status);
      else events.push(event);
    }
    if (events.length) onEvents(events);
    if (failure) throw failure;
  };
}

function follow(
  { open }: WatchResult,
  onEvents: (events: readonly WatchEvent<UnstructuredObject>[]) => void,
  started: (watch: RunningWatch) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    started(
      open({
        deliver({ notices }) {
          onEvents(notices.map(({ type, entry }) => ({ type, object: entry.object })));
        },
        close: (error) => (error ? reject(error) : resolve()),
      }),
    );
  });
}

function bodyOf(result: Result): { status: number; body: unknown } {
  switch (result.type) {
    case 'entry':
      return { status: result.status, body: result.entry.as(result.definition).object };
    case 'object':
      return { status: result.status, body: result.object };
    case 'list':
      return { status: 200, body: listOf(result) };
    case 'content':
      return { status: result.status, body: contentOf(result) };
    default:
      throw new StatusError({
        code: 400,
        reason: 'BadRequest',
        message: 'the in-process transport carries no upgrades',
      });
  }
}

function listOf({ definition, entries, metadata }: ListResult) {
  return {
    kind: definition.listKind,
    apiVersion: apiVersionOf(definition.group, definition.version),
    metadata,
    items: entries.map((entry) => entry.as(definition).object),
  };
}

function contentOf({ contentType, body }: Extract<Result, { type: 'content' }>): unknown {
  const text = typeof body === 'string' ? body : decoder.decode(body);
  return contentType.startsWith('application/json') ? JSON.parse(text) : text;
}

/** Nothing was parsed that could have been refused: a body that is nested too deeply is found out by those who walk it. */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.startsWith('Maximum call stack');
}

function searchParams(query: ApiRequest['query']): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const key in query) {
    const value = query[key];
    if (value === undefined) continue;
    if (typeof value === 'object') for (const item of value) parameters.append(key, item);
    else parameters.append(key, String(value));
  }
  return parameters;
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
