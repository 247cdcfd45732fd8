import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startTestApiServer, TEST_ADMIN, type TestApiServer } from '../testing.ts';
import { ProtobufEncoding } from './protobuf.ts';

let test: TestApiServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'k8ts-http-'));
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const subject = ['-subj', '/CN=test', '-days', '1', '-keyout', key, '-out', cert];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject],
    {
      stdio: 'ignore',
    },
  );
  test = await startTestApiServer({
    listen: { host: '127.0.0.1', tls: { cert: readFileSync(cert), key: readFileSync(key) } },
    authentication: () => ({
      name: 'test',
      authenticate: ({ bearerToken }) => (bearerToken === 'good' ? { user: TEST_ADMIN } : undefined),
    }),
  });
});
afterAll(async () => {
  await test.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string | Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      `${test.url}${path}`,
      { method, rejectUnauthorized: false, headers: { authorization: 'Bearer good', ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Without what protobuf does not tell from absence. */
const withoutEmpty = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, item) =>
      (item === '' && key !== 'apiVersion') || item === false || JSON.stringify(item) === '{}' ? undefined : item,
    ),
  );

const json = ({ body }: Answer) => JSON.parse(body.toString());
const JSON_TYPE = { 'content-type': 'application/json' };
const path = '/api/v1/namespaces/default/configmaps';
const create = (name: string, data: object = {}) =>
  send('POST', path, JSON_TYPE, JSON.stringify({ metadata: { name }, data }));

describe('over HTTPS', () => {
  it('knows nobody without a credential', async () => {
    const answer = await send('GET', path, { authorization: 'Bearer bad' });
    expect(answer.status).toBe(401);
    expect(json(answer)).toMatchObject({ kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized', code: 401 });
  });

  it('refuses bodies that are too large, malformed or of an unknown type, and goes on', async () => {
    const large = await send('POST', path, JSON_TYPE, Buffer.alloc(4 * 1024 * 1024, 0x20));
    expect(large.status).toBe(413);
    expect((await send('POST', path, JSON_TYPE, '{"metadata":')).status).toBe(400);
    expect((await send('POST', path, { 'content-type': 'text/plain' }, 'x')).status).toBe(415);
    expect((await send('GET', path, { accept: 'image/png' })).status).toBe(406);
    expect((await send('GET', '/api/v1/%E0%A4%A')).status).toBe(400);
    expect((await create('after')).status).toBe(201);
  });

  it('sends tables, metadata alone and YAML', async () => {
    await create('shown', { k: 'v' });
    const table = json(
      await send('GET', path, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }),
    );
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Data', 'Age']);
    const row = table.rows.find(({ cells }: { cells: string[] }) => cells[0] === 'shown');
    expect(row.object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'shown' } });
    expect(row.object.data).toBeUndefined();
    const partial = json(
      await send('GET', `${path}/shown`, { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' }),
    );
    expect(Object.keys(partial)).toEqual(['kind', 'apiVersion', 'metadata']);
    await create('dated', { y: '2026-01-01T00:00:00Z', n: 'no', o: '0777' });
    for (const where of [`${path}/dated`, path, `${path}?labelSelector=none`]) {
      const text = (await send('GET', where, { accept: 'application/yaml' })).body.toString();
      const object = json(await send('GET', where));
      expect(parse(text, { version: '1.1' })).toEqual(object);
      expect(Object.keys(parse(text))).toEqual(Object.keys(object).sort());
      const pretty = await send('GET', where, { 'user-agent': 'curl/8' });
      expect(pretty.body.toString()).toBe(JSON.stringify(object, null, 2));
    }
  });

  it('compresses large answers when asked', async () => {
    await create('large', { k: 'x'.repeat(300_000) });
    const plain = await send('GET', path);
    const packed = await send('GET', path, { 'accept-encoding': 'gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    const pretty = await send('GET', path, { 'accept-encoding': 'gzip', 'user-agent': 'curl/8' });
    expect(gunzipSync(pretty.body).toString()).toBe(JSON.stringify(json(plain), null, 2));
    const one = await send('GET', `${path}/large`, { 'accept-encoding': 'gzip' });
    expect(one.headers['content-encoding']).toBe('gzip');
  });

  it('speaks protobuf both ways', async () => {
    const protobuf = await ProtobufEncoding.load();
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'binary' }, data: { k: 'v' } };
    const type = 'application/vnd.kubernetes.protobuf';
    const answer = await send(
      'POST',
      path,
      { 'content-type': type, accept: type },
      Buffer.from(protobuf.object(object)!),
    );
    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toBe(type);
    expect(protobuf.decode(answer.body)).toMatchObject({
      metadata: { name: 'binary', namespace: 'default' },
      data: { k: 'v' },
    });
    const list = protobuf.decode((await send('GET', path, { accept: type })).body) as {
      items: { metadata: { name: string } }[];
    };
    expect(list.items.map(({ metadata }) => metadata.name)).toContain('binary');
  });

  it('warns in headers', async () => {
    const answer = await send('POST', path, JSON_TYPE, JSON.stringify({ metadata: { name: 'warned' }, spec: {} }));
    expect(answer.headers.warning).toBe('299 - "unknown field \\"spec\\""');
  });

  it('answers discovery by ETag and in aggregated form', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const groups = await send('GET', '/apis', { accept });
    expect(groups.headers['content-type']).toBe(accept);
    const apps = json(groups).items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === 'apps');
    const deployments = apps.versions[0].resources.find(
      ({ resource }: { resource: string }) => resource === 'deployments',
    );
    expect(deployments).toMatchObject({ scope: 'Namespaced', shortNames: ['deploy'], singularResource: 'deployment' });
    expect(deployments.subresources.map(({ subresource }: { subresource: string }) => subresource)).toEqual([
      'scale',
      'status',
    ]);
    const again = await send('GET', '/apis', { accept, 'if-none-match': String(groups.headers.etag) });
    expect(again.status).toBe(304);
    expect(json(await send('GET', '/apis/autoscaling')).preferredVersion.version).toBe('v2');
  });

  it('answers discovery in protobuf and YAML', async () => {
    const protobuf = await ProtobufEncoding.load();
    const type = 'application/vnd.kubernetes.protobuf';
    const aggregated = ';g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    for (const [where, form] of [
      ['/api', ''],
      ['/apis', ''],
      ['/apis/apps', ''],
      ['/api/v1', ''],
      ['/apis/apps/v1', ''],
      ['/api', aggregated],
      ['/apis', aggregated],
    ] as const) {
      const wanted = json(await send('GET', where, { accept: `application/json${form}` }));
      const binary = await send('GET', where, { accept: `application/yaml;as=Other,${type}${form},application/json` });
      expect([binary.status, binary.headers['content-type']]).toEqual([200, `${type}${form}`]);
      expect(withoutEmpty(protobuf.decode(binary.body)), where).toEqual(withoutEmpty({ apiVersion: '', ...wanted }));
      const text = await send('GET', where, { accept: `application/yaml${form}` });
      expect(text.headers['content-type']).toBe(`application/yaml${form}`);
      expect(parse(text.body.toString())).toEqual(wanted);
    }
    expect((await send('GET', '/apis', { accept: 'text/html' })).status).toBe(406);
  });

  it('streams watches over HTTP/2 beside other requests, and ends them when the time is up', async () => {
    const session = http2.connect(test.url, { rejectUnauthorized: false });
    const stream = session.request({ ':path': `${path}?watch=1&timeoutSeconds=1`, authorization: 'Bearer good' });
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    await new Promise((resolve) => stream.once('response', resolve));
    await create('watched');
    await new Promise((resolve) => stream.once('end', resolve));
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'watched' } } });
    session.close();
  });

  it('reports health, version and metrics', async () => {
    expect((await send('GET', '/readyz?verbose')).body.toString()).toContain('[+]ping ok\n');
    expect((await send('GET', '/livez/ping')).body.toString()).toBe('ok');
    const { paths } = json(await send('GET', '/'));
    expect(paths).toEqual(expect.arrayContaining(['/api/v1', '/apis/apps/v1', '/livez/ping', '/metrics', '/version']));
    expect(json(await send('GET', '/version'))).toMatchObject({ major: '1', minor: '36', gitVersion: 'v1.36.0' });
    expect((await send('GET', '/metrics')).body.toString()).toMatch(
      /apiserver_request_total\{verb="POST".*code="201"\} \d+/,
    );
  });
});
