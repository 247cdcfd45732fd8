import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { openPki } from '../../cluster/pki/pki.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { ProtobufEncoding } from '../http/protobuf.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';
import { addProxyRoutes } from './proxy-routes.ts';

const BIG_BYTES = 200 * 1024 * 1024;
/** What socket buffers, TLS and streams may hold on the way. */
const BOUND_BYTES = 40 * 1024 * 1024;

describe('streams through the API server', () => {
  let api: TestApiServer;
  let kubelet: Server;
  let ca: string;
  /** Bytes of the big stream that the kubelet could get rid of. */
  let sent = 0;

  beforeAll(async () => {
    const pki = await openPki();
    ca = pki.ca.cert;
    const serving = await pki.issue({ commonName: 'x', usages: ['server'], ips: ['127.0.0.1'] });
    kubelet = createServer({ cert: serving.cert, key: serving.key }, (request, response) => {
      if (request.url?.includes('/big/'))
        return void pour(
          (chunk) => response.write(chunk),
          response,
          () => response.end(),
        );
      if (request.url?.includes('/gone/')) return void response.writeHead(404).end('no such container');
      response.write('first\n');
      setTimeout(() => response.end('zweite ä\n'), 50);
    });
    kubelet.on('upgrade', (request, socket: Socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
      );
      pour(
        (chunk) => socket.write(chunk),
        socket,
        () => socket.end(),
      );
    });
    kubelet.listen(0, '127.0.0.1');
    await once(kubelet, 'listening');
    const store = openMemoryStore();
    for (const value of ['1', '2', '3'])
      await store.commit({ compare: [], operations: [{ type: 'put', key: '/other', value: Buffer.from(value) }] });
    await store.compact(3);
    api = await startTestApiServer({ store, listen: { host: '127.0.0.1', tls: serving } });
    addProxyRoutes(api.server, { kubelet: () => ({ ...serving, ca }) });
    await api.client.request({ method: 'POST', path: '/api/v1/nodes', body: { metadata: { name: 'n1' } } });
    await api.client.request({
      method: 'PATCH',
      path: '/api/v1/nodes/n1/status',
      contentType: 'application/merge-patch+json',
      body: {
        status: {
          addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
          daemonEndpoints: { kubeletEndpoint: { Port: (kubelet.address() as AddressInfo).port } },
        },
      },
    });
    for (const name of ['web', 'big', 'gone'])
      await api.client.request({
        method: 'POST',
        path: '/api/v1/namespaces/default/pods',
        body: { metadata: { name }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] } },
      });
  });
  afterAll(async () => {
    await api.stop();
    kubelet.close();
    kubelet.closeAllConnections();
  });

  function pour(write: (chunk: Buffer) => boolean, sink: NodeJS.EventEmitter, end: () => void) {
    const chunk = Buffer.alloc(256 * 1024, 'x');
    sent = 0;
    const more = () => {
      while (sent < BIG_BYTES) {
        sent += chunk.length;
        if (!write(chunk)) return void sink.once('drain', more);
      }
      end();
    };
    more();
  }

  const pods = '/api/v1/namespaces/default/pods';
  const open = (path: string, protocols: string[] = [], options: ClientOptions = {}) =>
    new WebSocket(`${api.url.replace('https', 'wss')}${path}`, protocols, {
      ca,
      headers: { authorization: 'Bearer any' },
      ...options,
    });
  async function messagesOf(socket: WebSocket): Promise<(string | Buffer)[]> {
    const messages: (string | Buffer)[] = [];
    socket.on('message', (data: Buffer, isBinary) => messages.push(isBinary ? data : data.toString()));
    const [code] = await once(socket, 'close');
    expect(code).toBe(1000);
    return messages;
  }
  async function refusal(socket: WebSocket): Promise<string> {
    const [, response] = await once(socket, 'unexpected-response');
    let text = '';
    for await (const chunk of response) text += chunk;
    return `${response.statusCode} ${JSON.parse(text).message}`;
  }

  it('shows logs over WebSocket, as bytes or as base64', async () => {
    for (const protocols of [[], ['binary.k8s.io'], ['base64url.bearer.authorization.k8s.io.YQ', 'binary.k8s.io']]) {
      const socket = open(`${pods}/web/log?follow=true`, protocols);
      const messages = await messagesOf(socket);
      expect(socket.protocol).toBe(protocols.at(-1) ?? '');
      expect(messages.every((message) => Buffer.isBuffer(message))).toBe(true);
      expect(Buffer.concat(messages as Buffer[]).toString()).toBe('first\nzweite ä\n');
    }
    const encoded = (await messagesOf(open(`${pods}/web/log`, ['base64.binary.k8s.io']))) as string[];
    expect(encoded.map((message) => Buffer.from(message, 'base64').toString()).join('')).toBe('first\nzweite ä\n');
    expect(await refusal(open(`${pods}/web/log`, ['v5.channel.k8s.io']))).toMatch(/^400 unable to upgrade/);
    expect(await refusal(open(`${pods}/gone/log`, ['binary.k8s.io']))).toMatch(/^404 the server could not find/);
  });

  it('holds back a kubelet whose client reads slowly', { timeout: 60_000 }, async () => {
    interface Reader {
      pause(): void;
      resume(): void;
      received(): number;
      drop(): void;
      readonly done: Promise<unknown>;
    }
    const slow = async (begin: () => Promise<Reader>, toTheEnd: boolean) => {
      sent = 0;
      const before = process.memoryUsage().rss;
      const client = await begin();
      client.pause();
      let last = -1;
      // Until nothing moves any more.
      for (let quiet = 0; quiet < 3; quiet = sent === last ? quiet + 1 : 0) {
        last = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sent).toBeLessThan(BOUND_BYTES);
      client.resume();
      if (!toTheEnd) client.drop();
      await client.done;
      if (toTheEnd) expect(client.received()).toBeGreaterThanOrEqual(BIG_BYTES);
      expect(process.memoryUsage().rss - before).toBeLessThan(2.5 * BOUND_BYTES);
    };
    await slow(async () => {
      const socket = open(`${pods}/big/log`);
      let bytes = 0;
      socket.on('message', (data: Buffer) => {
        bytes += data.length;
      });
      const done = once(socket, 'close');
      await once(socket, 'open');
      return {
        pause: () => socket.pause(),
        resume: () => socket.resume(),
        received: () => bytes,
        drop: () => socket.terminate(),
        done,
      };
    }, true);
    for (const head of [
      `GET ${pods}/big/log HTTP/1.1\r\nConnection: close`,
      `POST ${pods}/big/exec?command=cat&stdout=true HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1`,
    ])
      await slow(async () => {
        const { port } = new URL(api.url);
        const socket = tlsConnect({ host: '127.0.0.1', port: Number(port), ca });
        await once(socket, 'secureConnect');
        socket.write(`${head}\r\nHost: x\r\n\r\n`);
        let bytes = 0;
        socket.on('data', (chunk) => {
          bytes += chunk.length;
        });
        return {
          pause: () => socket.pause(),
          resume: () => socket.resume(),
          received: () => bytes,
          drop: () => socket.destroy(),
          done: once(socket, 'close'),
        };
      }, false);
  });

  it('sends the events of a watch as messages, in text or protobuf', async () => {
    const configMaps = '/api/v1/namespaces/default/configmaps';
    const create = (name: string) =>
      api.client.request({ method: 'POST', path: configMaps, body: { metadata: { name } } });
    await create('a');
    const query = '?watch=true&timeoutSeconds=1';
    const json = messagesOf(open(`${configMaps}${query}`));
    const binary = messagesOf(
      open(`${configMaps}${query}`, [], { headers: { accept: 'application/vnd.kubernetes.protobuf' } }),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await create('b');
    const events = ((await json) as string[]).map((message) => JSON.parse(message));
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(['ADDED a', 'ADDED b']);
    // A WatchEvent: field 1 is the type, and nothing of the stream's framing is before it.
    const frames = (await binary) as Buffer[];
    expect(frames.map((frame) => frame.subarray(0, 7).toString('latin1'))).toEqual(['\n\x05ADDED', '\n\x05ADDED']);
    const codec = await ProtobufEncoding.load();
    expect(codec.decode(frames[1]!.subarray(frames[1]!.indexOf('k8s\0')))).toMatchObject({ metadata: { name: 'b' } });
    const [expired] = (await messagesOf(open(`${configMaps}?watch=true&resourceVersion=2`))) as string[];
    expect(JSON.parse(expired!)).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect(await refusal(open(`${configMaps}?watch=true&fieldSelector=spec.x%3D1`))).toMatch(/^400 /);
    // Of a client that leaves nothing is left.
    const leaver = open(`${configMaps}?watch=true`);
    await once(leaver, 'message');
    leaver.close();
    await once(leaver, 'close');
    await expect.poll(() => api.server.services.cache.resource('', 'configmaps').watchers().length).toBe(0);
  });
});
