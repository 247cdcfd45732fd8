import type { IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { expect, it } from 'vitest';
import type { Logger } from '../apimachinery/logger.ts';
import { createClient } from '../client/create-client.ts';
import { createHttpTransport } from '../client/http-transport.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { ConfigMaps } from '../client/resource-types.gen.ts';
import { selfSignedCertificate } from '../client/testing/self-signed.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { startTestApiServer, TEST_ADMIN } from './testing.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });

it('announces its end, ends watches cleanly and lets requests finish', async () => {
  const tls = await selfSignedCertificate();
  const api = await startTestApiServer({ listen: { host: '127.0.0.1', tls } });
  let finish: (() => void) | undefined;
  api.server.router.addPath('/slow', async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return { type: 'content', status: 200, contentType: 'text/plain', body: 'done' };
  });
  const session = connect(api.url, { ca: tls.cert });
  const goaways: number[] = [];
  session.on('goaway', (code) => goaways.push(code));
  const open = (path: string) => {
    const stream = session.request({ ':path': path });
    let status = 0;
    let body = '';
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
    });
    stream.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    const ended = new Promise<{ status: number; body: string; rstCode: number | undefined }>((resolve) =>
      stream.on('close', () => resolve({ status, body, rstCode: stream.rstCode })),
    );
    return { stream, ended };
  };
  const slow = open('/slow');
  const watch = open(`${configMaps}?watch=true`);
  await new Promise((resolve) => watch.stream.once('response', resolve));
  await expect.poll(() => finish).toBeDefined();

  const stopped = api.stop();
  expect(await watch.ended).toMatchObject({ status: 200, rstCode: 0 });
  await expect.poll(() => goaways[0]).toBe(0);
  const asked = api.server.transport(TEST_ADMIN).request({ method: 'GET', path: '/readyz' });
  expect(await asked).toMatchObject({
    status: 500,
    body: expect.stringContaining('[-]shutdown failed: reason withheld'),
  });
  finish?.();
  expect(await slow.ended).toEqual({ status: 200, body: 'done', rstCode: 0 });
  await stopped;
  session.destroy();
});

it('cuts off HTTP/1.1 watches no more rudely', async () => {
  const tls = await selfSignedCertificate();
  const api = await startTestApiServer({ listen: { host: '127.0.0.1', tls } });
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    httpsRequest(`${api.url}${configMaps}?watch=true`, { ca: tls.cert }, resolve).on('error', reject).end();
  });
  const ended = new Promise((resolve, reject) => response.on('end', resolve).on('error', reject));
  response.resume();
  const stopped = api.stop();
  await ended;
  expect(response.complete).toBe(true);
  await stopped;
});

it('serves on for a while, not ready, and refuses what comes later, when it is told so', async () => {
  const tls = await selfSignedCertificate();
  const limits = { shutdownDelayMs: 1000, shutdownGraceMs: 15_000, shutdownSendRetryAfter: true, goawayChance: 1 };
  const api = await startTestApiServer({ listen: { host: '127.0.0.1', tls }, limits });
  const moved = connect(api.url, { ca: tls.cert });
  const goaway = new Promise((resolve) => moved.once('goaway', resolve));
  moved.request({ ':path': configMaps }).resume();
  expect(await goaway).toBe(0);
  moved.destroy();

  let finish: (() => void) | undefined;
  api.server.router.addPath('/slow', async () => {
    await new Promise<void>((resolve) => (finish = resolve));
    return { type: 'content', status: 200, contentType: 'text/plain', body: 'done' };
  });
  const agent = new Agent({ keepAlive: true, ca: tls.cert });
  const get = (path: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpsRequest(`${api.url}${path}`, { agent }, (response) => {
        response.resume();
        response.on('end', () => resolve(response));
      });
      request.on('error', reject).end();
    });
  // Two connections: one waits for the slow answer.
  await Promise.all([get(configMaps), get(configMaps)]);
  const slow = get('/slow');
  await expect.poll(() => finish).toBeDefined();
  const stopped = api.stop();
  expect((await get('/readyz')).statusCode).toBe(500);
  expect((await get(configMaps)).statusCode).toBe(200);
  let late: IncomingMessage | undefined;
  await expect
    .poll(
      async () => {
        late = await get(configMaps);
        return late.statusCode;
      },
      { timeout: 10_000 },
    )
    .toBe(429);
  expect(late?.headers).toMatchObject({ 'retry-after': '5', connection: 'close' });
  finish?.();
  expect((await slow).statusCode).toBe(200);
  await stopped;
  agent.destroy();
});

it('clients live through a restart while others write: no error is told, no event is lost', async () => {
  const store = openMemoryStore();
  const tls = await selfSignedCertificate();
  const start = (port: number) => startTestApiServer({ store, listen: { host: '127.0.0.1', port, tls } });
  let api = await start(0);
  const port = Number(new URL(api.url).port);
  const complaints: unknown[] = [];
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (...given: unknown[]) => complaints.push(given),
    error: (...given: unknown[]) => complaints.push(given),
    child: () => logger,
  } as unknown as Logger;
  const transport = createHttpTransport({ server: api.url, ca: tls.cert, logger, token: 'any' });
  const informers = createInformerFactory(createClient(transport), { logger });
  const informer = informers.informer(ConfigMaps);
  const seen: string[] = [];
  informer.addHandler({
    onAdd: ({ metadata }) => void seen.push(`add ${metadata.name}`),
    onDelete: ({ metadata }) => void seen.push(`delete ${metadata.name}`),
  });
  informers.start();
  await informer.whenSynced();
  seen.length = 0;
  const expected: string[] = [];
  // Another server of the same store never stops.
  const other = await startTestApiServer({ store });
  const writer = other.client.for(ConfigMaps);
  let writing = true;
  const written = (async () => {
    for (let i = 0; writing; i++) {
      await writer.create(configMap(`c${i}`));
      expected.push(`add c${i}`);
      if (i % 2 === 0) {
        await writer.delete({ namespace: 'default', name: `c${i}` });
        expected.push(`delete c${i}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  for (let round = 0; round < 3; round++) {
    const before = expected.length;
    await expect.poll(() => expected.length).toBeGreaterThan(before + 10);
    await api.stop();
    api = await start(port);
  }
  writing = false;
  await written;
  await expect.poll(() => seen.length, { timeout: 8_000 }).toBeGreaterThanOrEqual(expected.length);
  expect(seen).toEqual(expected);
  expect(complaints).toEqual([]);
  await informers.stop();
  await transport.close();
  await api.stop();
  await other.stop();
  await store.close();
}, 20_000);
