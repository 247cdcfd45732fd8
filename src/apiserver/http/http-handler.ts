import { randomUUID } from 'node:crypto';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError, timedOut } from '../../apimachinery/status-error.ts';
import { mediaTypeOf } from '../request/media-type.ts';
import type { IncomingRequest } from '../request/request-chain.ts';
import { headerOf } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { ChunkMemory } from './byte-writer.ts';
import { ExchangeProgress } from './exchange-progress.ts';
import type { HttpExchange } from './http-exchange.ts';
import { PROTOBUF, type ProtobufSource } from './protobuf.ts';
import { type ResponseOptions, respond, respondError } from './respond.ts';

export interface HttpHandlerOptions {
  readonly handle: (request: IncomingRequest) => Promise<Result>;
  readonly protobuf: ProtobufSource;
  readonly bodyLimit: number;
  readonly requestTimeoutMs: number;
  /** Counts what is sent to watches. */
  readonly onWatchEvents: ResponseOptions['onWatchEvents'];
  readonly now: () => number;
  readonly logger: Logger;
}

/** A client's own is cut off there. */
const MAX_AUDIT_ID = 64;

const noQuery = new URLSearchParams();

/** Carries HTTP exchanges through the request chain. It never throws. */
export function createHttpHandler(options: HttpHandlerOptions): (exchange: HttpExchange) => void {
  const chunks = new ChunkMemory();
  return (exchange) => {
    serve(exchange, options, chunks).catch((error: unknown) => {
      options.logger.error({ err: error, path: exchange.path }, 'a request could not be answered');
      exchange.destroy();
    });
  };
}

async function serve(exchange: HttpExchange, options: HttpHandlerOptions, chunks: ChunkMemory): Promise<void> {
  const warnings: string[] = [];
  // `noQuery` is shared: nothing changes the query of a request.
  const query = exchange.rawQuery === '' ? noQuery : new URLSearchParams(exchange.rawQuery);
  const progress = new ExchangeProgress(options.requestTimeoutMs, () => expire(exchange, response));
  const response = {
    query,
    warnings,
    auditId: headerOf(exchange.headers, 'audit-id')?.slice(0, MAX_AUDIT_ID) || randomUUID(),
    now: options.now,
    chunks,
    protobuf: options.protobuf,
    progress,
    onWatchEvents: options.onWatchEvents,
  };
  try {
    const result = await options.handle(incoming(exchange, response, options.bodyLimit, progress));
    if (!progress.bounded && (result.type === 'watch' || result.type === 'takeOver')) progress.stopClock();
    if (progress.expired) return progress.end(504, exchange.sentBytes);
    await respond(exchange, result, response);
    const sent = exchange.sent();
    if (sent) await sent;
    progress.end('status' in result ? result.status : 200, exchange.sentBytes);
  } catch (error) {
    if (!isStatusError(error) && !progress.expired)
      options.logger.error(
        { err: error, method: exchange.method, path: exchange.path },
        'a request failed unexpectedly',
      );
    if (!progress.expired) respondError(exchange, error, response);
    progress.end(progress.expired ? 504 : isStatusError(error) ? error.code : 500, exchange.sentBytes);
  } finally {
    progress.stopClock();
  }
}

function incoming(
  exchange: HttpExchange,
  { query, warnings, auditId, protobuf }: ResponseOptions & { readonly warnings: string[] },
  bodyLimit: number,
  progress: ExchangeProgress,
): IncomingRequest {
  let body: Promise<Buffer> | undefined;
  const contentType = headerOf(exchange.headers, 'content-type') ?? '';
  return {
    method: exchange.method,
    path: exchange.path,
    query,
    auditId,
    headers: exchange.headers,
    get signal() {
      return progress.boundedBy(exchange.signal);
    },
    ...(exchange.clientCertificate ? { clientCertificate: exchange.clientCertificate } : {}),
    ...(exchange.remoteAddress ? { remoteAddress: exchange.remoteAddress } : {}),
    async readBody() {
      body ??= exchange.readBody(bodyLimit);
      const bytes = await body;
      if (bytes.length === 0 || mediaTypeOf(contentType) !== PROTOBUF) return { contentType, bytes };
      return (await protobuf()).body(bytes);
    },
    warnings,
    progress,
  };
}

/** An answer that has begun is broken off: whoever reads it too slowly must not hold what it takes. */
function expire(exchange: HttpExchange, response: ResponseOptions): void {
  if (exchange.headersSent) exchange.destroy();
  else if (!exchange.finished)
    respondError(exchange, timedOut('Timeout: request did not complete within the allotted timeout'), response);
}
