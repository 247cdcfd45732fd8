import type { Duplex } from 'node:stream';
import { splice } from '../../../apimachinery/splice.ts';
import type { PortForwardSession } from '../../runtime/container-runtime.ts';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import { forwardConnection, type PortConnector } from './forward-connection.ts';
import { servePortChannels } from './port-channels.ts';
import { connectToRuntime, tunnelToRuntime } from './runtime-connection.ts';
import { grantSpdy, isSpdy, isWebSocket, negotiateProtocol, refuseUpgrade, type UpgradeRequest } from './upgrade.ts';
import { acceptWebSocket } from './websocket-client.ts';
import { WebSocketTunnel } from './websocket-tunnel.ts';

const PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = `SPDY/3.1+${PROTOCOL}`;
const PAIR_TIMEOUT_MS = 30_000;
/** Connections that one port-forward may have open at once. */
const MAX_CONNECTIONS = 400;

/**
 * Serves a port-forward on an upgraded connection: SPDY, SPDY inside WebSocket (kubectl since 1.31), or one pair of
 * WebSocket channels per port (other clients). `begin` resolves for the ports that the client names beforehand, if any.
 */
export async function servePortForward(
  upgrade: UpgradeRequest,
  query: URLSearchParams,
  begin: (ports: readonly number[]) => Promise<PortForwardSession>,
): Promise<void> {
  const { request, socket, head } = upgrade;
  if (isWebSocket(request)) {
    if (!request.headers['sec-websocket-protocol']?.includes(TUNNEL_PROTOCOL))
      return servePortChannels(upgrade, query, async (ports) => connector(await begin(ports)));
    const session = await begin([]);
    const webSocket = await acceptWebSocket(upgrade, [TUNNEL_PROTOCOL]);
    if (webSocket) await serveSpdy(new WebSocketTunnel(webSocket.socket), Buffer.alloc(0), session);
    return;
  }
  if (!isSpdy(request)) return refuseUpgrade(upgrade, 400, 'you must use an upgrade to SPDY/3.1 or websocket');
  const protocol = negotiateProtocol(request, [PROTOCOL]);
  if (protocol === undefined)
    return refuseUpgrade(
      upgrade,
      403,
      `unable to upgrade: unable to negotiate protocol: the server supports [${PROTOCOL}]`,
    );
  const session = await begin([]);
  if (session.kind === 'url') return tunnelToRuntime(upgrade, session.url);
  grantSpdy(socket, protocol);
  await serveSpdy(socket, head, session);
}

async function serveSpdy(client: Duplex, head: Buffer, session: PortForwardSession): Promise<void> {
  if (session.kind === 'local')
    return serveConnections(client, head, (port) => session.connect(port) as Promise<Duplex>);
  const runtime = await dialRuntime(session.url).catch((error: Error) => {
    client.destroy();
    throw error;
  });
  if (runtime.head.length) client.write(runtime.head);
  if (head.length) runtime.socket.write(head);
  await splice(client, runtime.socket);
}

const dialRuntime = (url: string) =>
  connectToRuntime(url, { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': PROTOCOL });

/** The server's side of the SPDY protocol: a pair of streams per connection, matched by their request id. */
function serveConnections(transport: Duplex, head: Buffer, connect: (port: number) => Promise<Duplex>): Promise<void> {
  const pairs = new Map<string, { error?: SpdyStream; data?: SpdyStream; timer: NodeJS.Timeout }>();
  return new Promise((resolve) => {
    const connection = new SpdyConnection({
      transport,
      head,
      role: 'server',
      onStream(stream) {
        const { streamtype, port, requestid = String(stream.id - (streamtype === 'data' ? 2 : 0)) } = stream.headers;
        const number = Number(port);
        if (
          (streamtype !== 'error' && streamtype !== 'data') ||
          !Number.isInteger(number) ||
          number < 1 ||
          number > 65_535
        )
          return false;
        let pair = pairs.get(requestid);
        if (!pair) {
          if (pairs.size >= MAX_CONNECTIONS) return false;
          pair = {
            timer: setTimeout(
              () => connection.destroy(new Error('a port-forward connection lacks a stream')),
              PAIR_TIMEOUT_MS,
            ),
          };
          pairs.set(requestid, pair);
        }
        pair[streamtype] = stream;
        if (!pair.error || !pair.data) return true;
        clearTimeout(pair.timer);
        pairs.delete(requestid);
        pair.error.resume();
        void forwardConnection(number, pair.data, pair.error, connect);
        return true;
      },
      onClose() {
        for (const { timer } of pairs.values()) clearTimeout(timer);
        resolve();
      },
    });
  });
}

async function connector(session: PortForwardSession): Promise<PortConnector> {
  if (session.kind === 'local')
    return { connect: (port) => session.connect(port) as Promise<Duplex>, close: () => undefined };
  const { socket, head } = await dialRuntime(session.url);
  const connection = new SpdyConnection({ transport: socket, head, role: 'client' });
  let requests = 0;
  return {
    async connect(port) {
      const headers = { port: String(port), requestid: String(requests++) };
      const error = await connection.open({ ...headers, streamtype: 'error' });
      error.end();
      const data = await connection.open({ ...headers, streamtype: 'data' });
      error.on('data', (text: Buffer) => data.destroy(new Error(text.toString('utf8'))));
      return data;
    },
    close: () => connection.close(),
  };
}
