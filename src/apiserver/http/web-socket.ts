import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { badRequest } from '../../apimachinery/status-error.ts';
import { headerOf } from '../request/request-context.ts';
import type { HttpExchange } from './http-exchange.ts';

/** A client that is sent messages and has nothing to say itself. */
export interface MessageReceiver {
  /** One of those that were supported; '' when the client asked for none. */
  readonly protocol: string;
  /** A text or a binary message, by its type. Resolves when the connection has taken it; when it is gone, too. */
  send(message: string | Uint8Array): Promise<void>;
  /** Closes in good order. */
  close(): Promise<void>;
}

/** What a client may send: control frames and nonsense. */
const MAX_RECEIVED_BYTES = 64 * 1024;
const CLOSE_TIMEOUT_MS = 5_000;
/** Carries the client's credentials and is no protocol. */
const TOKEN = 'base64url.bearer.authorization.k8s.io.';

export const wantsWebSocket = ({ upgrade, headers }: HttpExchange): boolean =>
  upgrade !== undefined && /\bwebsocket\b/i.test(headerOf(headers, 'upgrade') ?? '');

/**
 * Completes the handshake of a client that will only receive. Without `protocols` the first one that it offers is as good as
 * any. Throws StatusError 400 while the connection can still have it.
 */
export async function acceptReceiver(exchange: HttpExchange, protocols?: readonly string[]): Promise<MessageReceiver> {
  const { upgrade, headers } = exchange;
  if (!upgrade) throw badRequest('Upgrade request required');
  const offered = (headerOf(headers, 'sec-websocket-protocol') ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '' && !protocol.startsWith(TOKEN));
  const protocol = protocols ? offered.find((candidate) => protocols.includes(candidate)) : offered[0];
  if (protocols && offered.length > 0 && protocol === undefined)
    throw badRequest(`unable to upgrade: client supports none of the WebSocket protocols ${protocols.join(', ')}`);
  const { WebSocketServer } = await import('ws');
  // Kubernetes' protocol names are not all tokens to the library: it is not told.
  const request = { method: exchange.method, headers: { ...headers } } as unknown as IncomingMessage;
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_RECEIVED_BYTES, clientTracking: false });
  if (protocol !== undefined) server.on('headers', (lines) => lines.push(`Sec-WebSocket-Protocol: ${protocol}`));
  const socket = await new Promise<WebSocket>((resolve, reject) => {
    server.once('wsClientError', (error) => reject(badRequest(`websocket: ${error.message}`)));
    upgrade.socket.once('close', () => reject(badRequest('the client has gone')));
    server.handleUpgrade(request, upgrade.socket, upgrade.head, resolve);
  });
  socket.on('error', () => undefined);
  return {
    protocol: protocol ?? '',
    send: (message) =>
      new Promise((resolve) => {
        if (socket.readyState === socket.OPEN) socket.send(message, () => resolve());
        else resolve();
      }),
    close: () => closeInOrder(socket),
  };
}

/** A client that does not answer is dropped. */
function closeInOrder(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.close(1000);
  });
}
