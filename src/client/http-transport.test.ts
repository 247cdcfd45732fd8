import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { createClient } from './create-client.ts';
import { createHttpTransport } from './http-transport.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { createLineSplitter } from './line-splitter.ts';
import { ConfigMaps } from './resource-types.gen.ts';
import { selfSignedCertificate } from './testing/self-signed.ts';

let certificate: { cert: string; key: string };
beforeAll(async () => {
  certificate = await selfSignedCertificate();
});

type Handler = (stream: ServerHttp2Stream, headers: Record<string, unknown>, body: string) => void;
let server: Http2SecureServer | undefined;
const sessions = new Set<ServerHttp2Session>();
const closers: (() => Promise<unknown>)[] = [];

async function serve(handler: Handler): Promise<string> {
  server = createSecureServer(certificate);
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => handler(stream, headers, Buffer.concat(chunks).toString()));
    stream.resume();
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  for (const session of sessions) session.destroy();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});
const reply = (stream: ServerHttp2Stream, status: number, body: unknown, headers: object = {}) => {
  stream.respond({ ':status': status, 'content-type': 'application/json', ...headers });
  stream.end(JSON.stringify(body));
};
function connect(url: string, extra: object = {}) {
  const transport = createHttpTransport({ server: url, ca: certificate.cert, logger: silentLogger, ...extra });
  closers.push(() => transport.close());
  return { transport, client: createClient(transport) };
}

describe('HTTP transport', () => {
  it('sends typed requests and reads answers, warnings and errors', async () => {
    const seen: { headers: Record<string, unknown>; body: string }[] = [];
    const url = await serve((stream, headers, body) => {
      seen.push({ headers, body });
      if (headers[':method'] === 'DELETE')
        return reply(stream, 404, {
          kind: 'Status',
          code: 404,
          reason: 'NotFound',
          message: 'configmaps "a" not found',
        });
      reply(
        stream,
        201,
        { kind: 'ConfigMap', metadata: { name: 'a' } },
        { warning: '299 - "mind \\"this\\"", 299 - "and that"' },
      );
    });
    const { client, transport } = connect(url, { token: 'secret', userAgent: 'test/1' });
    await client
      .for(ConfigMaps)
      .create(
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'b' }, data: { x: 'ü' } },
        { fieldManager: 'me' },
      );
    expect(seen[0]?.headers).toMatchObject({
      ':method': 'POST',
      ':path': '/api/v1/namespaces/b/configmaps?fieldManager=me',
      authorization: 'Bearer secret',
      'user-agent': 'test/1',
      'content-type': 'application/json',
    });
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ kind: 'ConfigMap', data: { x: 'ü' } });
    await expect(client.for(ConfigMaps).delete({ namespace: 'b', name: 'a' })).rejects.toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'configmaps "a" not found',
    });
    const { warnings } = await transport.request({ method: 'GET', path: '/api' });
    expect(warnings).toEqual(['mind "this"', 'and that']);
  });

  it('watches, across chunk borders, and ends with the error that the server sends', async () => {
    const url = await serve((stream, headers) => {
      expect(headers[':path']).toBe('/api/v1/configmaps?resourceVersion=5&watch=true');
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      const event = (type: string, name: string) => `${JSON.stringify({ type, object: { metadata: { name } } })}\n`;
      const text = event('ADDED', 'é') + event('MODIFIED', 'b');
      const bytes = Buffer.from(text);
      for (let i = 0; i < bytes.length; i += 7) stream.write(bytes.subarray(i, i + 7));
      stream.end(
        `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } })}\n`,
      );
    });
    const { client } = connect(url);
    const names: string[] = [];
    const watch = client.for(ConfigMaps).watch({ resourceVersion: '5' }, (events) => {
      for (const { type, object } of events) names.push(`${type} ${object.metadata.name}`);
    });
    await expect(watch.done).rejects.toMatchObject({ code: 410, reason: 'Expired' });
    expect(names).toEqual(['ADDED é', 'MODIFIED b']);
  });

  it('stops a watch quietly, connects again after a lost connection, and gives up on a silent one', async () => {
    let mute = false;
    const url = await serve((stream, headers) => {
      if (mute) return;
      if (String(headers[':path']).includes('watch=true')) stream.respond({ ':status': 200 });
      else reply(stream, 200, { ok: true });
    });
    const { client, transport } = connect(url, { requestTimeoutMs: 100 });
    const watch = client.for(ConfigMaps).watch({}, () => {});
    await transport.request({ method: 'GET', path: '/version' });
    watch.stop();
    await watch.done;
    const broken = client.for(ConfigMaps).watch({}, () => {});
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (const session of sessions) session.destroy();
    await broken.done.catch(() => {});
    expect((await transport.request({ method: 'GET', path: '/version' })).body).toEqual({ ok: true });
    mute = true;
    await expect(transport.request({ method: 'GET', path: '/version' })).rejects.toThrow('no answer within 100 ms');
  });

  it('refuses a server that the CA does not vouch for', async () => {
    const url = await serve((stream) => reply(stream, 200, {}));
    const { transport } = connect(url, { ca: undefined });
    await expect(transport.request({ method: 'GET', path: '/version' })).rejects.toThrow(/self-signed|certificate/);
    const insecure = connect(url, { ca: undefined, insecureSkipTlsVerify: true });
    await expect(insecure.transport.request({ method: 'GET', path: '/version' })).resolves.toBeDefined();
  });
});

describe('kubeconfig', () => {
  it('is read with inline data, files, contexts and tokens', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
    closers.push(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'client.crt'), 'CERT');
    const text = `
apiVersion: v1
kind: Config
current-context: main
clusters:
- name: c
  cluster: { server: https://127.0.0.1:6443, certificate-authority-data: ${Buffer.from('CA').toString('base64')} }
users:
- name: admin
  user: { client-certificate: client.crt, client-key-data: ${Buffer.from('KEY').toString('base64')} }
- name: robot
  user: { token: abc }
- name: fancy
  user: { exec: { command: x } }
contexts:
- name: main
  context: { cluster: c, user: admin }
- name: other
  context: { cluster: c, user: robot, namespace: team }
- name: exec
  context: { cluster: c, user: fancy }
`;
    const main = await loadKubeconfig(text, { baseDir: directory });
    expect({ ca: String(main.ca), cert: String(main.cert), key: String(main.key), namespace: main.namespace }).toEqual({
      ca: 'CA',
      cert: 'CERT',
      key: 'KEY',
      namespace: 'default',
    });
    expect(await loadKubeconfig(text, { context: 'other' })).toMatchObject({ token: 'abc', namespace: 'team' });
    await expect(loadKubeconfig(text, { context: 'exec' })).rejects.toMatchObject({ code: 'KUBECONFIG_INVALID' });
    await expect(loadKubeconfig(text, { context: 'none' })).rejects.toThrow('no context is named "none"');
  });
});

describe('line splitter', () => {
  it('keeps what is unfinished', () => {
    const split = createLineSplitter();
    expect(split(Buffer.from('a\nb'))).toEqual(['a']);
    expect(split(Buffer.from('c'))).toEqual([]);
    expect(split(Buffer.from('\n\nd\n'))).toEqual(['bc', 'd']);
  });
});
