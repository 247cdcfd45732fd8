import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsApi, startHttpsApi } from './testing/https-api.ts';

const MB = 1024 * 1024;
const CLIENTS = 40;
const OBJECTS = 50;
const OBJECT_BYTES = 200_000;

/** Of clients that ask and then never read, each may cost what its connection holds, however much there is to send. */
describe('clients that do not read', () => {
  let api: HttpsApi;
  const path = '/api/v1/namespaces/default/configmaps';

  beforeAll(async () => {
    api = await startHttpsApi();
    for (let i = 0; i < OBJECTS; i++)
      await api.send(
        'POST',
        path,
        JSON.stringify({
          metadata: { name: `large-${i}` },
          data: { value: 'x'.repeat(OBJECT_BYTES) },
        }),
      );
  });
  afterAll(() => api.stop());

  async function ask(query: string): Promise<TLSSocket[]> {
    const { port } = new URL(api.server.url);
    return Promise.all(
      Array.from(
        { length: CLIENTS },
        () =>
          new Promise<TLSSocket>((resolve, reject) => {
            const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false }, () => {
              socket.pause();
              socket.write(`GET ${path}${query} HTTP/1.1\r\nHost: test\r\n\r\n`, () => resolve(socket));
            });
            socket.on('error', reject);
          }),
      ),
    );
  }

  /** What buffers of this process take, when it does not grow any more. */
  async function settled(): Promise<number> {
    let last = -1;
    for (let quiet = 0; quiet < 5; ) {
      await sleep(50);
      const { arrayBuffers, external } = process.memoryUsage();
      const now = Math.max(arrayBuffers, external);
      quiet = now <= last ? quiet + 1 : 0;
      last = now;
    }
    return last;
  }

  it.each([
    ['a list', ''],
    ['the initial events of a watch', '?watch=true&resourceVersion=0'],
  ])('cost little while %s waits for them', async (_what, query) => {
    const before = await settled();
    const sockets = await ask(query);
    const grown = (await settled()) - before;
    for (const socket of sockets) socket.destroy();
    // Whole answers would be 400 MB.
    expect(grown / MB).toBeLessThan(CLIENTS * 2);
  });

  it('are left behind when a watch has more to tell than may wait', async () => {
    const sockets = await ask('?watch=true');
    const before = await settled();
    for (let i = 0; i < 250; i++)
      await api.send('PATCH', `${path}/large-0`, JSON.stringify({ data: { count: String(i) } }), {
        'content-type': 'application/merge-patch+json',
      });
    const grown = (await settled()) - before;
    expect(grown / MB).toBeLessThan(CLIENTS * 4);
    // The server has ended their watches: a client that reads on finds the end of its answer, and can resume.
    const tails = sockets.map((socket) => {
      let tail = '';
      socket.on('data', (chunk: Buffer) => {
        tail = (tail + chunk.toString('latin1')).slice(-5);
      });
      socket.resume();
      return () => tail;
    });
    await expect.poll(() => tails.filter((tail) => tail() !== '0\r\n\r\n').length, { timeout: 10_000 }).toBe(0);
    for (const socket of sockets) socket.destroy();
  });
});
