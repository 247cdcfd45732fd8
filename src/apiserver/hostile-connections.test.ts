import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { selfSignedCertificate } from '../client/testing/self-signed.ts';
import { startTestApiServer, type TestApiServer } from './testing.ts';

const PATH = '/api/v1/namespaces/default/configmaps';
let api: TestApiServer;
let other: ClientHttp2Session;
let begun = 0;

beforeAll(async () => {
  const tls = await selfSignedCertificate();
  api = await startTestApiServer({ listen: { host: '127.0.0.1', tls }, limits: { requestTimeoutMs: 1500 } });
  api.server.router.addPath('/counted', () => {
    begun++;
    return { type: 'content', status: 200, contentType: 'text/plain', body: String(begun) };
  });
  other = connectHttp2(api.url, { rejectUnauthorized: false });
});
afterAll(async () => {
  other.destroy();
  await api.stop();
});

interface Connection {
  readonly socket: TLSSocket;
  readonly received: () => string;
  readonly closed: Promise<unknown>;
}

function open(protocol: 'h2' | 'http/1.1'): Promise<Connection> {
  const port = Number(new URL(api.url).port);
  const options = { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: [protocol] };
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(options, () => resolve({ socket, received: () => text, closed }));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    // A connection that is cut may fail the client's writes.
    socket.on('error', () => undefined);
    const closed = new Promise((end) => socket.once('close', end));
  });
}

function get(headers: OutgoingHttpHeaders = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = other.request({ ':path': PATH, ...headers });
    let status = 0;
    stream.on('response', (given) => {
      status = Number(given[':status']);
    });
    stream.on('error', reject).on('close', () => resolve(status));
    stream.resume();
  });
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK: GET, https, and two literals that are not indexed. */
function requestHeaders(path: string): Buffer {
  const literal = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([0x82, 0x87, 0x04]), literal(path), Buffer.from([0x01]), literal('test')]);
}

it('a connection that makes requests only to give them up is closed, and few of them are begun', async () => {
  const flood = await open('h2');
  const cancel = Buffer.from([0, 0, 0, 8]);
  const headers = requestHeaders('/counted');
  const frames = Array.from({ length: 5000 }, (_, index) => [
    frame(1, 5, 2 * index + 1, headers),
    frame(3, 0, 2 * index + 1, cancel),
  ]);
  const preface = [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))];
  flood.socket.write(Buffer.concat([...preface, ...frames.flat()]));
  await flood.closed;
  expect(begun).toBeLessThan(1000);
  expect(await get()).toBe(200);
});

it('answers pipelined requests one after the other, and closes on whoever sends too many', async () => {
  const one = 'GET /counted HTTP/1.1\r\nHost: test\r\n\r\n';
  const polite = await open('http/1.1');
  const before = begun;
  polite.socket.write(one.repeat(50));
  const answers = () => [...polite.received().matchAll(/\r\n\r\n(\d+)/g)].map(([, count]) => Number(count) - before);
  await expect.poll(answers, { timeout: 10_000 }).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  polite.socket.destroy();

  const flood = await open('http/1.1');
  flood.socket.write(one.repeat(5000));
  await flood.closed;
  expect(begun - before).toBeLessThan(4000);
  expect(await get()).toBe(200);
});

it('takes large headers and many of them, and refuses larger ones as text', async () => {
  const ask = async (bytes: number) => {
    const { socket, received } = await open('http/1.1');
    socket.write(`GET ${PATH} HTTP/1.1\r\nHost: test\r\nX-Large: ${'x'.repeat(bytes)}\r\n\r\n`);
    await expect.poll(() => received().includes('\r\n\r\n'), { timeout: 10_000 }).toBe(true);
    socket.destroy();
    return received();
  };
  expect(await ask(100_000)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask(200_000)).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\nContent-Type: text\/plain/);
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`x-header-${index}`, '1']));
  expect(await get(many)).toBe(200);
});

it('gives up on a body that stops in the middle, with its connection', async () => {
  const { socket, received, closed } = await open('http/1.1');
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"metadata":`,
  );
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 504 /);
  expect(received().toLowerCase()).toContain('\r\nconnection: close');
  expect(await get()).toBe(200);
});
