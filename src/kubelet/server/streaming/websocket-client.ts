import { Readable, Writable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type RemoteCommandClient, type RemoteCommandRequest, TerminalSizes } from './remote-command.ts';
import { endOf } from './spdy-client.ts';
import { refuseUpgrade, type UpgradeRequest } from './upgrade.ts';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
];
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const CLOSE_TIMEOUT_MS = 5_000;

export interface AcceptedWebSocket {
  readonly socket: WebSocket;
  /** '' when the client asked for none. */
  readonly protocol: string;
}

/** Completes a WebSocket handshake; undefined when the client was refused. */
export function acceptWebSocket(
  upgrade: UpgradeRequest,
  protocols: readonly string[],
): Promise<AcceptedWebSocket | undefined> {
  const { request, head } = upgrade;
  const offered = (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '');
  const chosen = offered.find((protocol) => protocols.includes(protocol));
  if (offered.length > 0 && chosen === undefined) {
    refuseUpgrade(
      upgrade,
      400,
      `unable to upgrade: client supports none of the WebSocket protocols ${protocols.join(', ')}`,
    );
    return Promise.resolve(undefined);
  }
  // Kubernetes' names with a slash are no tokens for the library: the protocol is settled here.
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, clientTracking: false });
  if (chosen !== undefined) server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${chosen}`));
  return new Promise((resolve) => {
    server.once('wsClientError', (error) => {
      refuseUpgrade(upgrade, 400, error.message);
      resolve(undefined);
    });
    upgrade.socket.once('close', () => resolve(undefined));
    server.handleUpgrade(request, upgrade.socket, head, (socket) => resolve({ socket, protocol: chosen ?? '' }));
  });
}

/** Exec or attach with a client that speaks WebSocket: each message is one byte of channel number, then data. */
export async function acceptWebSocketClient(
  upgrade: UpgradeRequest,
  request: RemoteCommandRequest,
): Promise<RemoteCommandClient | undefined> {
  const accepted = await acceptWebSocket(upgrade, PROTOCOLS);
  if (!accepted) return undefined;
  const { socket, protocol } = accepted;
  const base64 = protocol.includes('base64');
  const statusAsJson = /^v[45]\./.test(protocol);
  const abort = new AbortController();
  const stdin = request.stdin ? new Readable({ read: () => socket.resume(), highWaterMark: 256 * 1024 }) : undefined;
  const sizes = request.tty ? new TerminalSizes() : undefined;
  let stdinEnded = false;

  socket.on('error', () => undefined);
  socket.on('close', () => {
    abort.abort();
    endStdin();
    sizes?.end();
  });
  socket.on('message', (data: Buffer) => {
    if (data.length === 0) return;
    const channel = base64 ? data[0]! - 0x30 : data[0]!;
    const bytes = base64 ? Buffer.from(data.toString('latin1', 1), 'base64') : data.subarray(1);
    if (channel === CHANNEL.stdin && stdin && !stdinEnded && bytes.length > 0) {
      if (!stdin.push(bytes)) socket.pause();
    } else if (channel === CHANNEL.resize) sizes?.receive(bytes.toString('utf8'));
    else if (channel === CHANNEL.close && bytes[0] === CHANNEL.stdin) endStdin();
  });

  function endStdin() {
    if (stdinEnded) return;
    stdinEnded = true;
    stdin?.push(null);
  }

  const send = (channel: number, bytes: Uint8Array, sent: (error?: Error | null) => void) => {
    if (socket.readyState !== socket.OPEN) sent(new Error('the client has gone'));
    else if (base64)
      socket.send(String.fromCharCode(0x30 + channel) + Buffer.from(bytes).toString('base64'), { binary: false }, sent);
    else socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, sent);
  };

  function output(channel: number): Writable {
    const stream = new Writable({
      highWaterMark: 64 * 1024,
      write: (chunk: Buffer, _encoding, callback) => send(channel, chunk, callback),
    });
    stream.on('error', () => undefined);
    return stream;
  }

  const stdout = request.stdout ? output(CHANNEL.stdout) : undefined;
  const stderr = request.stderr ? output(CHANNEL.stderr) : undefined;
  // Tells the client that the connection is there.
  send(stdout ? CHANNEL.stdout : stderr ? CHANNEL.stderr : CHANNEL.error, Buffer.alloc(0), () => undefined);
  return {
    ...(stdin ? { stdin } : {}),
    ...(stdout ? { stdout } : {}),
    ...(stderr ? { stderr } : {}),
    ...(sizes ? { resize: sizes } : {}),
    signal: abort.signal,
    async finish(status) {
      await Promise.all([stdout, stderr].map((stream) => stream && endOf(stream)));
      const text = statusAsJson ? JSON.stringify(status) : status.status === 'Success' ? '' : (status.message ?? '');
      if (text) await new Promise<void>((resolve) => send(CHANNEL.error, Buffer.from(text), () => resolve()));
      await closeWebSocket(socket);
    },
  };
}

/** Closes in good order; a client that does not answer is dropped. */
export function closeWebSocket(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
    socket.close(1000);
  });
}
