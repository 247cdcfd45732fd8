import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';

const TIMEOUT_MS = 2_000;

/** Nameservers of a resolv.conf(5), without loopback ones of this very server. */
export async function readNameservers(file = '/etc/resolv.conf'): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => match[1]!)
    .filter((address) => !address.includes('%'));
}

/** Asks the servers one after the other; returns the first answer, as it came but for the id. Rejects when none answers. */
export async function forwardQuery(query: Buffer, servers: readonly string[], overTcp: boolean): Promise<Buffer> {
  let failure: unknown = new Error('there is no upstream nameserver');
  for (const server of servers) {
    try {
      return overTcp ? await askOverTcp(query, server) : await askOverUdp(query, server);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function askOverUdp(query: Buffer, server: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    // An id of our own: the client's is not a secret to whoever could forge an answer.
    const id = Math.floor(Math.random() * 0x10000);
    const request = Buffer.from(query);
    request.writeUInt16BE(id, 0);
    const finish = (error: Error | undefined, answer?: Buffer) => {
      clearTimeout(timer);
      socket.close();
      if (answer) resolve(answer);
      else reject(error);
    };
    const timer = setTimeout(() => finish(new Error(`${server} did not answer`)), TIMEOUT_MS);
    socket.on('error', (error) => finish(error));
    socket.on('message', (message, { address }) => {
      if (address !== server || message.length < 12 || message.readUInt16BE(0) !== id) return;
      message.writeUInt16BE(query.readUInt16BE(0), 0);
      finish(undefined, message);
    });
    socket.send(request, 53, server);
  });
}

function askOverTcp(query: Buffer, server: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port: 53, timeout: TIMEOUT_MS });
    let received = Buffer.alloc(0);
    socket.on('connect', () => socket.write(Buffer.concat([lengthOf(query), query])));
    socket.on('timeout', () => socket.destroy(new Error(`${server} did not answer`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${server} closed the connection`)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
  });
}

export function lengthOf(message: Buffer): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(message.length);
  return prefix;
}
