import { randomUUID } from 'node:crypto';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError, timedOut } from '../../apimachinery/status-error.ts';
import type { IncomingRequest } from '../request/request-chain.ts';
import { headerOf } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { ChunkMemory } from './byte-writer.ts';
import type { HttpExchange } from './http-exchange.ts';
import { PROTOBUF, ProtobufEncoding } from './protobuf.ts';
import { type ResponseOptions, respond, respondError } from './respond.ts';

export interface HttpHandlerOptions {
  readonly handle: (request: IncomingRequest) => Promise<Result>;
  readonly bodyLimit: number;
  readonly requestTimeoutMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

const noQuery = new URLSearchParams();

/** Carries HTTP exchanges through the request chain. It never throws. */
export function createHttpHandler(options: HttpHandlerOptions): (exchange: HttpExchange) => void {
  let loading: Promise<ProtobufEncoding> | undefined;
  const protobuf = () => {
    loading ??= ProtobufEncoding.load();
    return loading;
  };
  const chunks = new ChunkMemory();
  return (exchange) => {
    serve(exchange, options, protobuf, chunks).catch((error: unknown) => {
      options.logger.error({ err: error, path: exchange.path }, 'a request could not be answered');
      exchange.destroy();
    });
  };
}

async function serve(
  exchange: HttpExchange,
  options: HttpHandlerOptions,
  protobuf: () => Promise<ProtobufEncoding>,
  chunks: ChunkMemory,
): Promise<void> {
  const warnings: string[] = [];
  // `noQuery` is shared: nothing changes the query of a request.
  const query = exchange.rawQuery === '' ? noQuery : new URLSearchParams(exchange.rawQuery);
  const response: ResponseOptions = { query, warnings, auditId: randomUUID(), now: options.now, chunks, protobuf };
  const deadline = setTimeout(() => expire(exchange, response), options.requestTimeoutMs);
  try {
    const result = await options.handle(incoming(exchange, query, warnings, options.bodyLimit, protobuf));
    if (result.type === 'watch' || result.type === 'takeOver') clearTimeout(deadline);
    await respond(exchange, result, response);
  } catch (error) {
    if (!isStatusError(error))
      options.logger.error(
        { err: error, method: exchange.method, path: exchange.path },
        'a request failed unexpectedly',
      );
    respondError(exchange, error, response);
  } finally {
    clearTimeout(deadline);
  }
}

function incoming(
  exchange: HttpExchange,
  query: URLSearchParams,
  warnings: string[],
  bodyLimit: number,
  protobuf: () => Promise<ProtobufEncoding>,
): IncomingRequest {
  let body: Promise<Buffer> | undefined;
  const contentType = headerOf(exchange.headers, 'content-type') ?? '';
  return {
    method: exchange.method,
    path: exchange.path,
    query,
    headers: exchange.headers,
    get signal() {
      return exchange.signal;
    },
    ...(exchange.clientCertificate ? { clientCertificate: exchange.clientCertificate } : {}),
    ...(exchange.remoteAddress ? { remoteAddress: exchange.remoteAddress } : {}),
    async readBody() {
      body ??= exchange.readBody(bodyLimit);
      const bytes = await body;
      if (!contentType.startsWith(PROTOBUF) || bytes.length === 0) return { contentType, bytes };
      return { contentType: 'application/json', object: (await protobuf()).decode(bytes), owned: true };
    },
    warnings,
  };
}

function expire(exchange: HttpExchange, response: ResponseOptions): void {
  if (exchange.headersSent || exchange.finished) return;
  respondError(
    exchange,
    timedOut(
      'the server was unable to return a response in the time allotted, but may still be processing the request',
    ),
    response,
  );
}
