import { Duplex, Writable } from 'node:stream';
import { forwardConnection, type PortConnector } from './forward-connection.ts';
import { refuseUpgrade, type UpgradeRequest } from './upgrade.ts';
import { acceptWebSocket, closeWebSocket } from './websocket-client.ts';

const PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];

/**
 * Port-forward with two WebSocket channels per port, data and errors, one connection each. The first message on either is
 * the port, two bytes, least significant first. When every connection has ended, the WebSocket is closed.
 */
export async function servePortChannels(
  upgrade: UpgradeRequest,
  query: URLSearchParams,
  begin: (ports: readonly number[]) => Promise<PortConnector>,
): Promise<void> {
  const ports = query
    .getAll('port')
    .concat(query.getAll('ports'))
    .flatMap((value) => value.split(','))
    .filter((value) => value !== '')
    .map(Number);
  if (ports.length === 0) return refuseUpgrade(upgrade, 400, 'query parameter "port" is required');
  const bad = ports.find((port) => !Number.isInteger(port) || port < 1 || port > 65_535);
  if (bad !== undefined) return refuseUpgrade(upgrade, 400, `port "${bad}" must be > 0 and < 65536`);
  if (ports.length > 100) return refuseUpgrade(upgrade, 400, 'too many ports');
  const target = await begin(ports);
  const accepted = await acceptWebSocket(upgrade, PROTOCOLS);
  if (!accepted) return target.close();
  const { socket, protocol } = accepted;
  const base64 = protocol.includes('base64');
  const send = (channel: number, bytes: Uint8Array, sent: (error?: Error | null) => void) => {
    if (socket.readyState !== socket.OPEN) sent(new Error('the client has gone'));
    else if (base64)
      socket.send(String.fromCharCode(0x30 + channel) + Buffer.from(bytes).toString('base64'), { binary: false }, sent);
    else socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, sent);
  };
  const streams = ports.map((_, index) => {
    const data = new Duplex({
      read: () => socket.resume(),
      write: (chunk: Buffer, _encoding, callback) => send(index * 2, chunk, callback),
    });
    const error = new Writable({ write: (chunk: Buffer, _encoding, callback) => send(index * 2 + 1, chunk, callback) });
    data.on('error', () => undefined);
    // A channel has no way to tell that the pod's side has ended: both ways end together.
    data.on('finish', () => data.push(null));
    error.on('error', () => undefined);
    return { data, error };
  });
  socket.on('error', () => undefined);
  socket.on('message', (message: Buffer) => {
    if (message.length < 2) return;
    const channel = base64 ? message[0]! - 0x30 : message[0]!;
    const stream = channel % 2 === 0 ? streams[channel / 2]?.data : undefined;
    if (!stream || stream.destroyed || stream.writableFinished) return;
    const bytes = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    if (!stream.push(bytes)) socket.pause();
  });
  socket.on('close', () => {
    for (const { data } of streams) data.destroy();
    target.close();
  });
  const ends = streams.map(({ data, error }, index) => {
    const port = ports[index]!;
    const bytes = Buffer.from([port & 0xff, port >> 8]);
    send(index * 2, bytes, () => undefined);
    send(index * 2 + 1, bytes, () => undefined);
    return forwardConnection(port, data, error, target.connect);
  });
  await Promise.all(ends);
  await closeWebSocket(socket);
  target.close();
}
