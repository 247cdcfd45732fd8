import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** A request that wants another protocol on its connection. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that came with it. */
  readonly head: Buffer;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export const isWebSocket = ({ headers }: IncomingMessage): boolean => /\bwebsocket\b/i.test(headers.upgrade ?? '');
export const isSpdy = ({ headers }: IncomingMessage): boolean => /\bspdy\/3\.1\b/i.test(headers.upgrade ?? '');

/** Refuses an upgrade with an ordinary response. */
export function refuseUpgrade({ socket }: UpgradeRequest, code: number, text: string): void {
  if (!socket.writable) return;
  const head = [
    `HTTP/1.1 ${code} ${REASONS[code] ?? 'Error'}`,
    'content-type: text/plain; charset=utf-8',
    'x-content-type-options: nosniff',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

/** Grants an upgrade to SPDY; what follows on the socket is SPDY. */
export function grantSpdy(socket: Duplex, protocol: string): void {
  const head = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  if (protocol) head.push(`X-Stream-Protocol-Version: ${protocol}`);
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
}

/** The first of `supported` that the client offers; '' when it offers none; undefined when none fits. */
export function negotiateProtocol({ headers }: IncomingMessage, supported: readonly string[]): string | undefined {
  const given = headers['x-stream-protocol-version'];
  const offered = (Array.isArray(given) ? given : [given ?? ''])
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
  return offered.length === 0 ? '' : supported.find((protocol) => offered.includes(protocol));
}
