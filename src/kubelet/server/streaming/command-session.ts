import type { Readable, Writable } from 'node:stream';
import type { StreamSession, TerminalSize } from '../../runtime/container-runtime.ts';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import { type ExitStatus, exitStatus, failureStatus } from './exit-status.ts';
import { type RemoteCommandClient, type RemoteCommandRequest, remoteCommandRequest } from './remote-command.ts';
import { connectToRuntime, tunnelToRuntime } from './runtime-connection.ts';
import { acceptSpdyClient, readStatus } from './spdy-client.ts';
import { isSpdy, isWebSocket, refuseUpgrade, type UpgradeRequest } from './upgrade.ts';
import { acceptWebSocketClient } from './websocket-client.ts';

const RUNTIME_PROTOCOL = 'v4.channel.k8s.io';

/** Serves exec or attach on an upgraded connection, from whatever the client speaks to wherever the session is. */
export async function serveCommand(
  upgrade: UpgradeRequest,
  query: URLSearchParams,
  begin: (request: RemoteCommandRequest) => Promise<StreamSession>,
): Promise<void> {
  let request: RemoteCommandRequest;
  try {
    request = remoteCommandRequest(query);
  } catch (error) {
    return refuseUpgrade(upgrade, 400, (error as Error).message);
  }
  if (!isSpdy(upgrade.request) && !isWebSocket(upgrade.request))
    return refuseUpgrade(upgrade, 400, 'you must use an upgrade to SPDY/3.1 or websocket');
  const session = await begin(request);
  if (isSpdy(upgrade.request) && session.kind === 'url') return tunnelToRuntime(upgrade, session.url);
  const accept = isSpdy(upgrade.request) ? acceptSpdyClient : acceptWebSocketClient;
  const client = await accept(upgrade, request);
  if (!client) return;
  const status = await run(session, client, request).catch(failureStatus);
  await client.finish(status);
}

async function run(
  session: StreamSession,
  client: RemoteCommandClient,
  request: RemoteCommandRequest,
): Promise<ExitStatus> {
  if (session.kind === 'url') return runAtRuntime(session.url, client, request);
  const { exitCode } = await session.run({
    ...(client.stdin ? { stdin: client.stdin } : {}),
    ...(client.stdout ? { stdout: client.stdout } : {}),
    ...(client.stderr ? { stderr: client.stderr } : {}),
    ...(client.resize ? { resize: client.resize } : {}),
    signal: client.signal,
  });
  return exitStatus(exitCode);
}

/** The client speaks WebSocket, the runtime SPDY. */
async function runAtRuntime(
  url: string,
  client: RemoteCommandClient,
  request: RemoteCommandRequest,
): Promise<ExitStatus> {
  const { socket, head } = await connectToRuntime(url, {
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': RUNTIME_PROTOCOL,
  });
  const connection = new SpdyConnection({ transport: socket, head, role: 'client' });
  const leave = () => connection.destroy();
  client.signal.addEventListener('abort', leave, { once: true });
  try {
    if (client.signal.aborted) throw new Error('the client has gone');
    const open = (streamType: string) => connection.open({ streamtype: streamType });
    const [error, stdin, stdout, stderr, resize] = await Promise.all([
      open('error'),
      client.stdin && open('stdin'),
      client.stdout && open('stdout'),
      client.stderr && open('stderr'),
      request.tty ? open('resize') : undefined,
    ]);
    error.end();
    const status = readStatus(error);
    // It is awaited after the output.
    status.catch(() => undefined);
    if (client.stdin && stdin) {
      client.stdin.on('error', () => undefined);
      client.stdin.pipe(stdin);
      stdin.resume();
    }
    if (client.resize && resize) void sendSizes(client.resize, resize);
    await Promise.all([copyAll(stdout, client.stdout), copyAll(stderr, client.stderr)]);
    return await status;
  } finally {
    client.signal.removeEventListener('abort', leave);
    connection.close();
  }
}

/** Resolves at the end of the source, with everything in the sink. A sink that fails does not hold the source up. */
async function copyAll(source: SpdyStream | undefined, sink: Writable | undefined): Promise<void> {
  if (!source || !sink) return;
  source.end();
  for await (const chunk of source as Readable) {
    if (sink.destroyed || !sink.writable) continue;
    await new Promise<void>((resolve) => sink.write(chunk, () => resolve()));
  }
}

async function sendSizes(sizes: AsyncIterable<TerminalSize>, stream: SpdyStream): Promise<void> {
  stream.resume();
  for await (const { width, height } of sizes) {
    if (!stream.writable) return;
    stream.write(JSON.stringify({ Width: width, Height: height }));
  }
}
