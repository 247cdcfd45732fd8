import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import type { ExitStatus } from './exit-status.ts';
import { type RemoteCommandClient, type RemoteCommandRequest, TerminalSizes } from './remote-command.ts';
import { grantSpdy, negotiateProtocol, refuseUpgrade, type UpgradeRequest } from './upgrade.ts';

const PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
];
const STREAMS_TIMEOUT_MS = 30_000;

/** Exec or attach with a client that speaks SPDY. Resolves when it has opened its streams; undefined when it did not. */
export async function acceptSpdyClient(
  upgrade: UpgradeRequest,
  request: RemoteCommandRequest,
): Promise<RemoteCommandClient | undefined> {
  const protocol = negotiateProtocol(upgrade.request, PROTOCOLS);
  if (protocol === undefined) {
    refuseUpgrade(
      upgrade,
      403,
      `unable to upgrade: unable to negotiate protocol: client supports none of ${PROTOCOLS}`,
    );
    return undefined;
  }
  const version = protocol === '' || protocol === 'channel.k8s.io' ? 1 : Number(protocol.slice(1, 2));
  const expected = [
    'error',
    request.stdin && 'stdin',
    request.stdout && 'stdout',
    request.stderr && 'stderr',
    request.tty && version >= 3 && 'resize',
  ].filter((type): type is string => typeof type === 'string');
  const streams = new Map<string, SpdyStream>();
  const abort = new AbortController();
  let complete = () => {};
  const opened = new Promise<void>((resolve) => {
    complete = resolve;
  });
  grantSpdy(upgrade.socket, protocol);
  const connection = new SpdyConnection({
    transport: upgrade.socket,
    head: upgrade.head,
    role: 'server',
    onStream(stream) {
      const type = stream.headers.streamtype ?? '';
      if (!expected.includes(type) || streams.has(type)) return false;
      streams.set(type, stream);
      if (streams.size === expected.length) complete();
      return true;
    },
    onClose() {
      abort.abort();
      complete();
    },
  });
  const timer = setTimeout(() => connection.destroy(), STREAMS_TIMEOUT_MS);
  await opened;
  clearTimeout(timer);
  if (connection.closed) return undefined;
  const error = streams.get('error')!;
  error.resume();
  const stdin = streams.get('stdin');
  const stdout = streams.get('stdout');
  const stderr = streams.get('stderr');
  const outputs = [stdout, stderr].filter((stream): stream is SpdyStream => stream !== undefined);
  for (const stream of outputs) stream.resume();
  const resize = streams.get('resize');
  return {
    ...(stdin ? { stdin } : {}),
    ...(stdout ? { stdout } : {}),
    ...(stderr ? { stderr } : {}),
    ...(resize ? { resize: sizesOf(resize) } : {}),
    signal: abort.signal,
    async finish(status) {
      await Promise.all(outputs.map(endOf));
      const text = version >= 4 ? JSON.stringify(status) : status.status === 'Success' ? '' : (status.message ?? '');
      error.end(text);
      await endOf(error);
      connection.close();
    },
  };
}

/** Resolves when everything was sent, or can't be. */
export async function endOf(stream: Writable): Promise<void> {
  if (!stream.writableEnded) stream.end();
  await finished(stream, { readable: false }).catch(() => undefined);
}

function sizesOf(stream: SpdyStream): TerminalSizes {
  const sizes = new TerminalSizes();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      sizes.receive(text.slice(0, end + 1));
      text = text.slice(end + 1);
    }
    if (text.length > 4096) text = '';
  });
  stream.once('close', () => sizes.end());
  stream.once('end', () => sizes.end());
  return sizes;
}

/** The status on the error stream of a runtime's streaming server: JSON since protocol version 4. Rejects when there is none. */
export async function readStatus(error: SpdyStream): Promise<ExitStatus> {
  const chunks: Buffer[] = [];
  error.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!error.readableEnded && !error.destroyed)
    await Promise.race([once(error, 'end'), once(error, 'close')]).catch(() => undefined);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '')
    throw new Error('the container runtime ended the connection without a word of how the command ended');
  try {
    return JSON.parse(text) as ExitStatus;
  } catch {
    return { metadata: {}, status: 'Failure', message: text, reason: 'InternalError', code: 500 };
  }
}
