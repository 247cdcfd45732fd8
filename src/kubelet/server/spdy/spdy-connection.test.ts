import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { constants, createDeflate } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { controlFrame, FrameType, uint32 } from './frames.ts';
import { HeaderBlockReader, HeaderBlockWriter, type SpdyHeaders } from './header-block.ts';
import { HEADER_DICTIONARY } from './header-dictionary.ts';
import { SpdyConnection } from './spdy-connection.ts';
import type { SpdyStream } from './spdy-stream.ts';

const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1', allowHalfOpen: true });
  const [accepted] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [client, accepted]) socket.setNoDelay(true);
  sockets.push(client, accepted);
  return [client, accepted];
}

async function connectionPair(onStream: (stream: SpdyStream) => boolean) {
  const [a, b] = await socketPair();
  return {
    client: new SpdyConnection({ transport: a, role: 'client' }),
    server: new SpdyConnection({ transport: b, role: 'server', onStream }),
    a,
    b,
  };
}

async function textOf(stream: SpdyStream): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks).toString();
}

/** As Go's peers compress: one deflate stream with the dictionary, flushed after each block. */
async function compress(...blocks: readonly Buffer[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: HEADER_DICTIONARY });
  const results: Buffer[] = [];
  for (const block of blocks) {
    deflate.write(block);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    results.push(deflate.read());
  }
  return results;
}

function plain(headers: SpdyHeaders): Buffer {
  const written = new HeaderBlockWriter().write(headers);
  return written.subarray(7, -5);
}

describe('header blocks', () => {
  it('reads what a compressing peer writes, block after block', async () => {
    const headers = Array.from({ length: 200 }, (_, index) => ({
      streamtype: index % 2 ? 'data' : 'error',
      port: '8080',
      requestid: String(index),
    }));
    const blocks = await compress(...headers.map(plain));
    const reader = new HeaderBlockReader();
    expect(blocks.map((block) => reader.read(block))).toEqual(headers);
  });

  it('reads what it writes', () => {
    const writer = new HeaderBlockWriter();
    const reader = new HeaderBlockReader();
    for (const headers of [{ streamtype: 'stdin' }, {}, { a: 'ä', b: '' }] as SpdyHeaders[])
      expect(reader.read(writer.write(headers))).toEqual(headers);
  });
});

describe('SPDY connections', () => {
  it('carry streams both ways, each with its own end', async () => {
    const { client } = await connectionPair((stream) => {
      void (async () => stream.end(`${stream.headers.streamtype}: ${await textOf(stream)}`))();
      return true;
    });
    const streams = await Promise.all(['one', 'two'].map((streamtype) => client.open({ streamtype })));
    streams[0]!.end('first');
    streams[1]!.write('sec');
    streams[1]!.end('ond');
    expect(await Promise.all(streams.map(textOf))).toEqual(['one: first', 'two: second']);
  });

  it('deliver everything, though the connection ends at once after the last byte', async () => {
    const size = 3_000_000;
    const { client, server } = await connectionPair((stream) => {
      stream.resume();
      stream.end(Buffer.alloc(size), () => server.close());
      return true;
    });
    const stream = await client.open({});
    await new Promise((resolve) => setTimeout(resolve, 50));
    let received = 0;
    for await (const chunk of stream) {
      received += (chunk as Buffer).length;
      if (received < 200_000) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(received).toBe(size);
  });

  it('stop reading while nobody takes the data', async () => {
    let opened: SpdyStream | undefined;
    const { client } = await connectionPair((stream) => {
      opened = stream;
      return true;
    });
    const stream = await client.open({});
    let taken = 0;
    for (let index = 0; index < 512; index++) stream.write(Buffer.alloc(64 * 1024), () => (taken += 64 * 1024));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(opened!.readableLength).toBeLessThan(1024 * 1024);
    expect(taken).toBeLessThan(32 * 1024 * 1024);
    let received = 0;
    opened!.on('data', (chunk: Buffer) => (received += chunk.length));
    stream.end();
    await once(opened!, 'end');
    expect(received).toBe(32 * 1024 * 1024);
  });

  it('keep within the window of a peer that keeps windows', async () => {
    const [a, b] = await socketPair();
    const client = new SpdyConnection({ transport: a, role: 'client' });
    let bytes = 0;
    b.on('data', (chunk) => (bytes += chunk.length));
    const opening = client.open({});
    b.write(controlFrame(FrameType.synReply, 0, uint32(1), new HeaderBlockWriter().write({})));
    const stream = await opening;
    b.write(controlFrame(FrameType.windowUpdate, 0, uint32(1, 1000)));
    await new Promise((resolve) => setTimeout(resolve, 30));
    stream.write(Buffer.alloc(200_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bytes).toBeGreaterThan(66_000);
    expect(bytes).toBeLessThan(67_000);
    b.write(controlFrame(FrameType.windowUpdate, 0, uint32(1, 200_000)));
    await expect.poll(() => bytes).toBeGreaterThan(200_000);
  });

  it('reject a stream that the peer refuses, and end all when the peer goes or talks nonsense', async () => {
    const { client, a, b } = await connectionPair(({ headers }) => headers.streamtype !== 'no');
    const refused = await client.open({ streamtype: 'no' });
    if (!refused.destroyed) await once(refused, 'close');
    const stream = await client.open({ streamtype: 'yes' });
    stream.resume();
    b.write(Buffer.alloc(16, 0xff));
    await once(stream, 'close');
    expect(client.closed).toBe(true);
    expect(a.destroyed).toBe(true);
    await expect(client.open({})).rejects.toThrow('closed');
  });
});
