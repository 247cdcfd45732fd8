import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';

/** A server that requests are passed on to. */
export interface Backend {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** `servername` in place of the host's; an `agent` keeps connections. */
  readonly tls?: Pick<RequestOptions, 'cert' | 'key' | 'ca' | 'rejectUnauthorized' | 'servername' | 'agent'>;
  /** In place of the client's of the same names. */
  readonly headers?: OutgoingHttpHeaders;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
}

export interface BackendRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

export interface UpgradedConnection {
  readonly response: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const CONNECT_TIMEOUT_MS = 30_000;

/** Begins a request; the caller ends it. Without an agent connections are not kept: they carry the certificate of the moment. */
export function beginRequest(
  { scheme, host, port, tls, headers: own, signal }: Backend,
  { method, path, headers }: BackendRequest,
): ClientRequest {
  const options: RequestOptions = {
    host,
    port,
    method,
    path,
    headers: own ? { ...headers, ...own } : headers,
    ...(signal ? { signal } : {}),
    agent: false,
    // Certificates are checked against the address; an IP address is no server name (RFC 6066).
    ...(scheme === 'https' ? { servername: isIP(host) ? '' : host, ...tls } : {}),
  };
  const request = scheme === 'https' ? httpsRequest(options) : httpRequest(options);
  const timer = setTimeout(
    () => request.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })),
    CONNECT_TIMEOUT_MS,
  );
  const connected = () => clearTimeout(timer);
  request.once('socket', (socket) => {
    socket.setNoDelay(true);
    if (request.reusedSocket) connected();
    else socket.once(scheme === 'https' ? 'secureConnect' : 'connect', connected);
  });
  request.once('close', connected);
  request.once('error', connected);
  return request;
}

/** The response's head. Rejects when there is none. */
export function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
}

/** An upgraded connection, or the response of a backend that did not want to. */
export function upgradeOf(request: ClientRequest): Promise<UpgradedConnection | { readonly refused: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    request.once('upgrade', (response, socket, head) => {
      socket.on('error', () => undefined);
      resolve({ response, socket, head });
    });
    request.once('response', (refused) => resolve({ refused }));
    request.once('error', reject);
    request.end();
  });
}
