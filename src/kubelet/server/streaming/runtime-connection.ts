import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { splice } from '../../../apimachinery/splice.ts';
import { refuseUpgrade, type UpgradeRequest } from './upgrade.ts';

const CONNECT_TIMEOUT_MS = 10_000;

export interface RuntimeConnection {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly response: IncomingMessage;
}

/** Upgrades a connection to the runtime's streaming server. Rejects with the server's words when it does not want to. */
export async function connectToRuntime(
  url: string,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Promise<RuntimeConnection> {
  const answer = await dial(url, headers);
  if ('socket' in answer) return answer;
  const chunks: Buffer[] = [];
  for await (const chunk of answer.refused) chunks.push(chunk as Buffer);
  throw new Error(
    Buffer.concat(chunks).toString('utf8').trim() || `the container runtime answered ${answer.refused.statusCode}`,
  );
}

/** Passes a client's upgrade on to the runtime's streaming server as it is: the two speak the same protocol. */
export async function tunnelToRuntime(upgrade: UpgradeRequest, url: string): Promise<void> {
  const given = upgrade.request.headersDistinct;
  const headers: Record<string, string | readonly string[]> = {
    connection: 'Upgrade',
    upgrade: upgrade.request.headers.upgrade ?? '',
  };
  for (const name of [
    'x-stream-protocol-version',
    'sec-websocket-key',
    'sec-websocket-version',
    'sec-websocket-protocol',
    'sec-websocket-extensions',
  ]) {
    const value = given[name];
    // A peer in Go reads a list as one name: one header each.
    if (value)
      headers[name] = name === 'x-stream-protocol-version' ? value.flatMap((list) => list.split(/\s*,\s*/)) : value;
  }
  const answer = await dial(url, headers);
  if ('refused' in answer) {
    const chunks: Buffer[] = [];
    for await (const chunk of answer.refused) chunks.push(chunk as Buffer);
    refuseUpgrade(upgrade, answer.refused.statusCode ?? 500, Buffer.concat(chunks).toString('utf8'));
    return;
  }
  const { response, socket, head } = answer;
  const lines = ['HTTP/1.1 101 Switching Protocols'];
  for (let index = 0; index < response.rawHeaders.length; index += 2)
    lines.push(`${response.rawHeaders[index]}: ${response.rawHeaders[index + 1]}`);
  upgrade.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length) upgrade.socket.write(head);
  if (upgrade.head.length) socket.write(upgrade.head);
  await splice(upgrade.socket, socket);
}

async function dial(
  url: string,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Promise<RuntimeConnection | { readonly refused: IncomingMessage }> {
  const secure = url.startsWith('https:');
  const method = /websocket/i.test(String(headers.upgrade)) ? 'GET' : 'POST';
  // The runtime listens on loopback with a certificate of its own.
  const options = {
    method,
    headers: headers as Record<string, string>,
    agent: false as const,
    rejectUnauthorized: false,
    timeout: CONNECT_TIMEOUT_MS,
  };
  const request = secure ? httpsRequest(url, options) : httpRequest(url, options);
  request.on('timeout', () => request.destroy(new Error('the container runtime does not answer')));
  const upgraded = once(request, 'upgrade').then(([response, socket, head]): RuntimeConnection => {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    return { response, socket, head };
  });
  const refused = once(request, 'response').then(([response]) => ({ refused: response as IncomingMessage }));
  // Both reject when the request fails; only one is looked at.
  upgraded.catch(() => undefined);
  refused.catch(() => undefined);
  request.end();
  return Promise.race([upgraded, refused]);
}
