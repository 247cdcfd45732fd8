import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject, UnstructuredObject } from '../../apimachinery/meta.ts';
import { internalError, isStatusError, type StatusError } from '../../apimachinery/status-error.ts';
import type { FlowClass } from '../request/flow-control.ts';
import { PlainTextError } from '../request/plain-text-error.ts';
import { headerOf } from '../request/request-context.ts';
import type { ListResult, Result, WatchResult } from '../request/result.ts';
import { Batch } from '../watch-cache/cache-event.ts';
import { gzipSink, plainSink } from './byte-sink.ts';
import { ByteWriter, CHUNK_BYTES, type ChunkMemory } from './byte-writer.ts';
import { encodeList } from './encode-list.ts';
import { errorFrame, type FrameEncoder, frameEncoder } from './encode-watch.ts';
import type { HttpExchange, ResponseHeaders } from './http-exchange.ts';
import { acceptsGzip, type Negotiated, negotiate, wantsPretty } from './negotiation.ts';
import { PROTOBUF, type ProtobufEncoding, type ProtobufSource } from './protobuf.ts';
import { readableList, toYaml } from './readable.ts';
import { checkShape } from './requested-shape.ts';
import { includeObjectOf, objectTable, tableHead, writePartial, writeRow } from './table.ts';
import { wantsWebSocket } from './web-socket.ts';

const GZIP_FROM_BYTES = 128 * 1024;
/** Up to here an answer is sent in one piece. */
const SMALL_BYTES = 64 * 1024;
const MAX_WARNINGS_BYTES = 4096;
const COMMA = 0x2c;

const gzipAsync = promisify(gzip);

export interface ResponseOptions {
  readonly query: URLSearchParams;
  readonly warnings: readonly string[];
  readonly auditId: string;
  readonly now: () => number;
  readonly chunks: ChunkMemory;
  readonly progress: { readonly flow: FlowClass | undefined };
  onWatchEvents(definition: KindDefinition, count: number): void;
  readonly protobuf: ProtobufSource;
}

/** Encodes a result the way the client asked for. Throws StatusError 406 before anything is sent. */
export async function respond(exchange: HttpExchange, result: Result, options: ResponseOptions): Promise<void> {
  if (result.type === 'takeOver') return result.run(exchange);
  if (result.type === 'content') {
    const headers = { ...baseHeaders(options), 'content-type': result.contentType, ...result.headers };
    return sendBytes(exchange, result.status, headers, result.body);
  }
  const accept = headerOf(exchange.headers, 'accept');
  const protobuf = accept?.includes(PROTOBUF) ? await options.protobuf() : undefined;
  const inProtobuf = protobuf !== undefined && hasProtobuf(result, protobuf);
  const as = negotiate(accept, {
    shapes: result.type !== 'object' || inProtobuf || protobuf === undefined,
    protobuf: inProtobuf,
    stream: result.type === 'watch',
  });
  checkShape(result, as);
  if (as.format === 'protobuf' && result.type !== 'watch') {
    const headers = { ...baseHeaders(options), 'content-type': PROTOBUF };
    return sendBytes(
      exchange,
      'status' in result ? result.status : 200,
      headers,
      await encodeProtobuf(result, as, protobuf!),
    );
  }
  if (result.type === 'watch') return respondWatch(exchange, result, as, options, protobuf);
  if (result.type === 'list') return respondList(exchange, result, as, options);
  if (result.type === 'object') {
    const json =
      as.shape === 'table' && result.columns
        ? objectTable(
            result.object as UnstructuredObject,
            result.columns,
            as,
            includeObjectOf(options.query),
            options.now(),
          )
        : JSON.stringify(result.object);
    return sendJson(exchange, result.status, as, options, json);
  }
  const entry = result.entry.as(result.definition);
  if (as.shape === 'object') return sendJson(exchange, result.status, as, options, entry.bytes);
  const writer = new ByteWriter(entry.metadataLength + 2048);
  if (as.shape === 'partial') writePartial(writer, entry, as.metaVersion);
  else {
    writer.text(
      tableHead(
        result.definition,
        as.metaVersion,
        { resourceVersion: entry.object.metadata.resourceVersion ?? '' },
        true,
      ),
    );
    writeRow(writer, result.definition, entry, as, includeObjectOf(options.query), options.now());
    writer.text(']}\n');
  }
  return sendJson(exchange, result.status, as, options, writer.view());
}

function hasProtobuf(result: Exclude<Result, { type: 'content' | 'takeOver' }>, protobuf: ProtobufEncoding): boolean {
  return result.type === 'object'
    ? protobuf.object(result.object as KubeObject) !== undefined
    : protobuf.supports(result.definition);
}

async function encodeProtobuf(
  result: Exclude<Result, { type: 'content' | 'takeOver' | 'watch' }>,
  as: Negotiated,
  protobuf: ProtobufEncoding,
): Promise<Uint8Array> {
  if (result.type === 'list') return protobuf.list(result, as);
  if (result.type === 'entry') return protobuf.entry(result.entry.as(result.definition), as);
  return protobuf.object(result.object as KubeObject)!;
}

/** The Status of a failure; nothing of an unexpected error but its message reaches the client. */
export function respondError(exchange: HttpExchange, error: unknown, options: ResponseOptions): void {
  const failure = isStatusError(error) ? error : internalError(error instanceof Error ? error.message : String(error));
  if (exchange.headersSent) {
    exchange.destroy();
    return;
  }
  const headers = baseHeaders(options);
  const { retryAfterSeconds } = failure.status.details ?? {};
  if (retryAfterSeconds) headers['retry-after'] = String(retryAfterSeconds);
  const send = (contentType: string, body: Uint8Array | string) => {
    if (!exchange.headersSent && !exchange.finished)
      exchange.send(failure.code, { ...headers, 'content-type': contentType }, body);
  };
  if (failure instanceof PlainTextError) {
    headers['x-content-type-options'] = 'nosniff';
    send('text/plain; charset=utf-8', `${failure.text}\n`);
    return;
  }
  const as = errorForm(headerOf(exchange.headers, 'accept'));
  const format = as?.format ?? 'json';
  const pretty = !as || as.pretty || wantsPretty(exchange.headers, options.query);
  const asJson = () =>
    send('application/json', pretty ? JSON.stringify(failure.status, null, 2) : `${JSON.stringify(failure.status)}\n`);
  if (format === 'json') {
    asJson();
    return;
  }
  const encoded =
    format === 'protobuf'
      ? options.protobuf().then((protobuf) => send(PROTOBUF, protobuf.object(failure.status)!))
      : toYaml(failure.status).then((text) => send('application/yaml', text));
  encoded.catch(asJson);
}

/** A failure goes out in whatever form the client can be given; what it wants of objects does not count. */
function errorForm(accept: string | undefined): Negotiated | undefined {
  try {
    return negotiate(accept, { shapes: false, protobuf: true });
  } catch {
    return undefined;
  }
}

function baseHeaders({ warnings, auditId, progress }: ResponseOptions): ResponseHeaders {
  const headers: ResponseHeaders = { 'audit-id': auditId, 'cache-control': 'no-cache, private' };
  if (progress.flow) {
    headers['x-kubernetes-pf-flowschema-uid'] = progress.flow.flowSchemaUid;
    headers['x-kubernetes-pf-prioritylevel-uid'] = progress.flow.priorityLevelUid;
  }
  if (warnings.length) headers.warning = warningHeaders(warnings);
  return headers;
}

/** RFC 7234 warnings with code 299, as many as fit. */
function warningHeaders(warnings: readonly string[]): string[] {
  const headers: string[] = [];
  let size = 0;
  for (const warning of new Set(warnings)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
    const text = warning.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/["\\]/g, '\\$&');
    const header = `299 - "${Buffer.from(text, 'utf8').toString('latin1')}"`;
    size += header.length;
    if (size > MAX_WARNINGS_BYTES) break;
    headers.push(header);
  }
  return headers;
}

async function sendJson(
  exchange: HttpExchange,
  status: number,
  as: Negotiated,
  options: ResponseOptions,
  json: Buffer | string,
): Promise<void> {
  const headers = { ...baseHeaders(options), 'content-type': 'application/json' };
  if (as.format === 'yaml') {
    headers['content-type'] = 'application/yaml';
    return sendBytes(exchange, status, headers, await toYaml(JSON.parse(json.toString())));
  }
  const body =
    as.pretty || wantsPretty(exchange.headers, options.query)
      ? JSON.stringify(JSON.parse(json.toString()), null, 2)
      : json;
  return sendBytes(exchange, status, headers, body);
}

async function sendBytes(
  exchange: HttpExchange,
  status: number,
  headers: ResponseHeaders,
  body: Uint8Array | string,
): Promise<void> {
  if (body.length > GZIP_FROM_BYTES && acceptsGzip(headerOf(exchange.headers, 'accept-encoding'))) {
    headers['content-encoding'] = 'gzip';
    headers.vary = headers.vary ? [String(headers.vary), 'Accept-Encoding'] : 'Accept-Encoding';
    exchange.send(status, headers, await gzipAsync(body, { level: constants.Z_BEST_SPEED }));
    return;
  }
  exchange.send(status, headers, body);
}

async function respondList(
  exchange: HttpExchange,
  result: ListResult,
  as: Negotiated,
  options: ResponseOptions,
): Promise<void> {
  const include = as.shape === 'table' ? includeObjectOf(options.query) : 'None';
  const encoding = encodeList(result, as, include, options.now());
  const count = result.entries.length;
  if (as.format === 'yaml' || as.pretty || wantsPretty(exchange.headers, options.query)) {
    const writer = new ByteWriter(SMALL_BYTES);
    const item = (index: number) => {
      writer.reuse();
      encoding.writeItem(writer, index);
      return Buffer.from(writer.view()).toString();
    };
    const format = as.format === 'yaml' ? 'yaml' : 'json';
    const headers = { ...baseHeaders(options), 'content-type': `application/${format}` };
    return sendPieces(exchange, headers, readableList(encoding, count, item, format));
  }
  const writer = options.chunks.take();
  writer.text(encoding.head);
  let next = 0;
  const fill = () => {
    while (next < count && writer.length < CHUNK_BYTES) {
      if (next > 0) writer.byte(COMMA);
      encoding.writeItem(writer, next++);
    }
    if (next === count) writer.text(encoding.tail);
    return next === count;
  };
  let done = fill();
  if (done && writer.length <= SMALL_BYTES) {
    const body = Buffer.from(writer.view());
    options.chunks.giveBack(writer);
    return sendBytes(exchange, 200, { ...baseHeaders(options), 'content-type': 'application/json' }, body);
  }
  const length = done ? writer.length : encoding.length;
  const headers: ResponseHeaders = { ...baseHeaders(options), 'content-type': 'application/json' };
  const compress =
    (length ?? CHUNK_BYTES) > GZIP_FROM_BYTES && acceptsGzip(headerOf(exchange.headers, 'accept-encoding'));
  if (compress) Object.assign(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  else if (length !== undefined) headers['content-length'] = length;
  exchange.writeHead(200, headers, true);
  const send = compress ? gzipSink(exchange) : plainSink(exchange);
  while ((await send.write(writer.view())) && !done) {
    writer.reuse();
    done = fill();
  }
  // Of a client that went away nobody knows whether its connection still reads the memory.
  if (!exchange.finished) options.chunks.giveBack(writer);
  await send.end();
}

async function sendPieces(
  exchange: HttpExchange,
  headers: ResponseHeaders,
  pieces: AsyncGenerator<string>,
): Promise<void> {
  const first = await pieces.next();
  const second = await pieces.next();
  if (second.done) return sendBytes(exchange, 200, headers, first.value ?? '');
  const compress = acceptsGzip(headerOf(exchange.headers, 'accept-encoding'));
  if (compress) Object.assign(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  exchange.writeHead(200, headers, true);
  const sink = compress ? gzipSink(exchange) : plainSink(exchange);
  let going = (await sink.write(Buffer.from(first.value))) && (await sink.write(Buffer.from(second.value)));
  while (going) {
    const { done, value } = await pieces.next();
    going = !done && (await sink.write(Buffer.from(value)));
  }
  await sink.end();
}

function respondWatch(
  exchange: HttpExchange,
  result: WatchResult,
  as: Negotiated,
  options: ResponseOptions,
  protobuf: ProtobufEncoding | undefined,
): Promise<void> {
  const binary = as.format === 'protobuf' ? protobuf : undefined;
  const encode: FrameEncoder = binary
    ? (batch) => binary.frames(batch, as)
    : frameEncoder(result.definition, as, as.shape === 'table' ? includeObjectOf(options.query) : 'None', options.now);
  if (wantsWebSocket(exchange))
    return import('./web-socket-watch.ts').then(({ watchOverWebSocket }) =>
      watchOverWebSocket(exchange, result, {
        encode: (notice) => encode(new Batch([notice])),
        error: (error) => (binary ? binary.errorFrame(error.status) : errorFrame(error)),
        frameHead: binary ? 4 : 0,
        text: !binary,
      }),
    );
  exchange.writeHead(200, {
    ...baseHeaders(options),
    'content-type': binary ? `${PROTOBUF};stream=watch` : 'application/json',
  });
  return new Promise((resolve) => {
    const { signal } = exchange;
    const running = result.open({
      deliver(batch) {
        const { notices, shared } = batch;
        options.onWatchEvents(result.definition, notices.length);
        if (binary || shared || notices.length === 1)
          return exchange.write(encode(batch)) ? undefined : exchange.drained();
        return sendOnce(exchange, options.chunks, (writer) => encode(batch, writer));
      },
      close(error?: StatusError) {
        signal.removeEventListener('abort', stop);
        exchange.end(error && (binary ? binary.errorFrame(error.status) : errorFrame(error)));
        resolve();
      },
    });
    const stop = () => running.stop();
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** Sends what no other client is sent, in lent memory. */
async function sendOnce(
  exchange: HttpExchange,
  chunks: ChunkMemory,
  encode: (writer: ByteWriter) => Buffer,
): Promise<void> {
  const writer = chunks.take();
  if (await exchange.flush(encode(writer))) chunks.giveBack(writer);
}
