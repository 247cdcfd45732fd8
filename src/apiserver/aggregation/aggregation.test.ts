import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { APIService } from '../../api/types/apiregistration.v1.gen.ts';
import type { ConfigMap } from '../../api/types/core.v1.gen.ts';
import type { KubeList } from '../../apimachinery/meta.ts';
import { type KeyPair, openPki, type Pki } from '../../cluster/pki/pki.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';
import { type Aggregation, addAggregation } from './aggregation.ts';
import { extensionAuthentication } from './authentication-config-map.ts';

const GROUP = 'wardle.example.com';
const BASE = `/apis/${GROUP}/v1alpha1`;
const API_SERVICES = '/apis/apiregistration.k8s.io/v1/apiservices';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly caller: string;
  readonly body: string;
}

/** An extension API server: flunders, which can be watched, echoed and upgraded to. */
class ExtensionServer {
  readonly seen: Seen[] = [];
  readonly server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  watcher: ServerResponse | undefined;
  broken = false;
  constructor(certificate: KeyPair, clientCa: string) {
    const options = { ...certificate, ca: clientCa, requestCert: true, rejectUnauthorized: false };
    this.server = createServer(options, (request, response) => void this.#serve(request, response));
    this.server.on('connection', (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const socket = request.socket as TLSSocket;
    const caller = socket.authorized ? String(socket.getPeerCertificate().subject.CN) : '';
    this.seen.push({ method, url, headers, caller, body });
    if (this.broken) {
      response.writeHead(500).end();
      return;
    }
    const answer = (value: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const { pathname, searchParams } = new URL(url, 'https://x');
    if (pathname === BASE)
      answer({
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion: `${GROUP}/v1alpha1`,
        resources: [
          {
            name: 'flunders',
            singularName: 'flunder',
            namespaced: true,
            kind: 'Flunder',
            verbs: ['get', 'list', 'watch'],
            shortNames: ['fl'],
          },
          { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get', 'update'] },
          { name: 'other/echo', singularName: '', namespaced: true, kind: 'Echo', verbs: ['create'] },
          { name: 7 },
        ],
      });
    else if (pathname === '/openapi/v3')
      answer({ paths: { [BASE.slice(1)]: { serverRelativeURL: `/openapi/v3${BASE}?hash=1` } } });
    else if (pathname === `/openapi/v3${BASE}`) answer({ openapi: '3.0.0', info: { title: 'wardle' } });
    else if (searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      this.watcher = response;
    } else if (pathname.endsWith('/missing'))
      answer(
        {
          kind: 'Status',
          apiVersion: 'v1',
          status: 'Failure',
          reason: 'NotFound',
          message: 'no such flunder',
          code: 404,
        },
        404,
      );
    else answer({ kind: 'FlunderList', apiVersion: `${GROUP}/v1alpha1`, metadata: {}, items: [], echo: body });
  }
}

let pki: Pki;
let frontProxy: KeyPair;
let serving: KeyPair;
let test: TestApiServer;
let aggregation: Aggregation;
let extension: ExtensionServer;
let port: number;

beforeAll(async () => {
  pki = await openPki();
  [frontProxy, serving] = await Promise.all([
    pki.frontProxyCertificate('front-proxy-client', { commonName: 'front-proxy-client', usages: ['client'] }),
    pki.certificate('wardle', { commonName: 'wardle', usages: ['server'], dnsNames: ['api.wardle.svc'] }),
  ]);
  const tls = await pki.certificate('apiserver', {
    commonName: 'kube-apiserver',
    usages: ['server'],
    ips: ['127.0.0.1'],
  });
  const user = {
    name: 'jürgen',
    uid: 'u-1',
    groups: ['devs', 'system:authenticated'],
    extra: { 'example.com/scope%': ['a', 'b'] },
  };
  test = await startTestApiServer({
    authentication: () => ({ name: 'test', authenticate: () => ({ user }) }),
    listen: { host: '127.0.0.1', tls },
    bootstrap: [
      extensionAuthentication({
        clientCAs: () => [pki.ca.cert],
        frontProxy: { cas: () => [pki.frontProxyCa.cert], allowedNames: ['front-proxy-client'] },
      }),
    ],
  });
  aggregation = addAggregation(test.server, { frontProxyCertificate: () => frontProxy });
  aggregation.start();
  extension = new ExtensionServer(serving, pki.frontProxyCa.cert);
  port = await extension.listen();
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'wardle' } });
});
afterAll(async () => {
  await aggregation?.stop();
  await test?.stop();
  await extension?.close();
});

const send = async <T = Record<string, unknown>>(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH',
  path: string,
  body?: unknown,
  headers = {},
) => (await test.transport.request<T>({ method, path, headers, ...(body === undefined ? {} : { body }) })).body;

/** Over HTTPS, as a client sees it. */
function fetchRaw(
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const options = { method, headers, ca: pki.ca.cert, agent: false };
    const request = httpsRequest(`${test.url}${path}`, options, async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const service = (spec: object) => ({ metadata: { name: 'api', namespace: 'wardle' }, spec });
const externalName = () => service({ type: 'ExternalName', externalName: 'localhost' });
const apiService = (more: object = {}) => ({
  metadata: { name: `v1alpha1.${GROUP}` },
  spec: {
    group: GROUP,
    version: 'v1alpha1',
    groupPriorityMinimum: 2000,
    versionPriority: 10,
    service: { name: 'api', namespace: 'wardle', port },
    caBundle: Buffer.from(pki.ca.cert).toString('base64'),
    ...more,
  },
});

async function condition(reason: string) {
  const name = `${API_SERVICES}/v1alpha1.${GROUP}`;
  for (let tries = 0; ; tries++) {
    const { status } = await send<APIService>('GET', name);
    const found = status?.conditions?.find(({ type }) => type === 'Available');
    if (found?.reason === reason) return found;
    if (tries === 200) throw new Error(`it is ${JSON.stringify(found)}, not ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const services = '/api/v1/namespaces/wardle/services';

describe('an aggregated API', () => {
  afterEach(() => {
    extension.broken = false;
    extension.seen.length = 0;
  });

  it('is unavailable, with the reason, until all of Service, endpoints and discovery are there', async () => {
    await send('POST', API_SERVICES, apiService());
    expect(await condition('ServiceNotFound')).toMatchObject({
      status: 'False',
      message: 'service/api in "wardle" is not present',
    });
    const refused = await fetchRaw('GET', `${BASE}/flunders`);
    expect(refused).toMatchObject({ status: 503, text: 'service unavailable\n' });
    expect(refused.headers['content-type']).toBe('text/plain; charset=utf-8');
    await expect(send('GET', `${BASE}/flunders`)).rejects.toMatchObject({ code: 503, reason: 'ServiceUnavailable' });

    await send('POST', services, service({ ports: [{ name: 'https', port: 444, targetPort: port }] }));
    expect((await condition('ServicePortError')).message).toBe(
      `service/api in "wardle" is not listening on port ${port}`,
    );
    await send('DELETE', `${services}/api`);
    await send('POST', services, service({ ports: [{ name: 'https', port, targetPort: port }] }));
    expect((await condition('EndpointsNotFound')).message).toBe(
      'cannot find endpointslices for service/api in "wardle"',
    );
    const slice = {
      metadata: { name: 'api-1', namespace: 'wardle', labels: { 'kubernetes.io/service-name': 'api' } },
      addressType: 'IPv4',
      ports: [{ name: 'https', port: 1, protocol: 'TCP' }],
      endpoints: [{ addresses: ['192.0.2.7'], conditions: { ready: false } }],
    };
    const slices = '/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices';
    const created = await send('POST', slices, slice);
    expect((await condition('MissingEndpoints')).message).toMatch(/have no addresses with port name "https"/);
    await send('DELETE', `${services}/api`);
    await send('DELETE', `${slices}/${(created.metadata as { name: string }).name}`);
    extension.broken = true;
    await send('POST', services, externalName());
    expect((await condition('FailedDiscoveryCheck')).message).toMatch(
      /^failing or missing response from https:\/\/localhost:\d+\/apis\/wardle.example.com\/v1alpha1: bad status from .*: 500$/,
    );
    extension.broken = false;
    expect(await condition('Passed')).toMatchObject({ status: 'True', message: 'all checks passed' });
  });

  it('is asked as the user, by the front proxy, without the credentials of this server', async () => {
    const answer = await fetchRaw('POST', `${BASE}/namespaces/a%20b/flunders?x=1&x=2`, {
      headers: {
        authorization: 'Bearer secret',
        'x-remote-user': 'root',
        'x-remote-extra-evil': '1',
        'content-type': 'application/json',
        'x-mine': 'yes',
      },
      body: '{"big":true}',
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ kind: 'FlunderList', echo: '{"big":true}' });
    const [seen] = extension.seen;
    expect(seen).toMatchObject({
      method: 'POST',
      url: `${BASE}/namespaces/a%20b/flunders?x=1&x=2`,
      caller: 'front-proxy-client',
    });
    const headers = seen!.headers;
    expect(Buffer.from(String(headers['x-remote-user']), 'latin1').toString()).toBe('jürgen');
    expect(headers).toMatchObject({
      'x-remote-uid': 'u-1',
      'x-remote-group': 'devs, system:authenticated',
      'x-mine': 'yes',
    });
    expect(headers['x-remote-extra-example.com%2fscope%25']).toBe('a, b');
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('x-remote-extra-evil');
    expect((await fetchRaw('GET', `${BASE}/flunders/missing`)).status).toBe(404);
    await expect(send('GET', `${BASE}/flunders/missing`)).rejects.toMatchObject({
      code: 404,
      message: 'no such flunder',
    });
  });

  it('keeps connections between requests', async () => {
    await send('GET', `${BASE}/flunders`);
    const before = extension.connections;
    for (let count = 0; count < 5; count++) await send('GET', `${BASE}/flunders`);
    expect(extension.connections).toBe(before);
  });

  it('streams watches to clients of HTTP and in the process, and ends them with the client', async () => {
    const lines: string[] = [];
    const request = httpsRequest(
      `${test.url}${BASE}/flunders?watch=true`,
      { ca: pki.ca.cert, agent: false },
      (response) => response.on('data', (chunk) => lines.push(String(chunk))).on('error', () => undefined),
    );
    request.on('error', () => undefined).end();
    const watcher = await until(() => extension.watcher);
    watcher.write('{"type":"ADDED","object":{"metadata":{"name":"one"}}}\n');
    await until(() => lines.length > 0 || undefined);
    expect(JSON.parse(lines.join(''))).toMatchObject({ type: 'ADDED' });
    const closed = once(watcher, 'close');
    request.destroy();
    await closed;

    extension.watcher = undefined;
    const names: string[] = [];
    const watch = test.transport.watch({ method: 'GET', path: `${BASE}/flunders` }, (events) => {
      for (const { type, object } of events) names.push(`${type} ${object.metadata.name}`);
    });
    const inProcess = await until(() => extension.watcher);
    inProcess.write('{"type":"ADDED","object":{"metadata":{"name":"tw');
    inProcess.write('o"}}}\n{"type":"DELETED","object":{"metadata":{"name":"two"}}}\n');
    await until(() => names.length === 2 || undefined);
    expect(names).toEqual(['ADDED two', 'DELETED two']);
    inProcess.write('{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}\n');
    await expect(watch.done).rejects.toMatchObject({ code: 410, reason: 'Expired' });

    extension.watcher = undefined;
    const stopped = test.transport.watch({ method: 'GET', path: `${BASE}/flunders` }, () => undefined);
    const last = once(await until(() => extension.watcher), 'close');
    stopped.stop();
    await Promise.all([stopped.done, last]);
  });

  it('passes upgrades through in both directions', async () => {
    const { port: apiPort } = new URL(test.url);
    const raw = connect(Number(apiPort), '127.0.0.1');
    const socket = connectTls({ socket: raw, ca: pki.ca.cert, host: '127.0.0.1', ALPNProtocols: ['http/1.1'] });
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.write(`GET ${BASE}/flunders/a/echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
    await until(() => text.includes('\r\n\r\n') || undefined);
    expect(text).toMatch(/^HTTP\/1.1 101 /);
    socket.write('ping');
    await until(() => text.endsWith('ping') || undefined);
    socket.destroy();
  });

  it('is in discovery: groups by priority, resources with their subresources, and the documents passed through', async () => {
    const { groups } = await send<{ groups: { name: string; preferredVersion: { version: string } }[] }>(
      'GET',
      '/apis',
    );
    expect(groups.find(({ name }) => name === GROUP)?.preferredVersion.version).toBe('v1alpha1');
    expect(groups[0]?.name).toBe('apiregistration.k8s.io');
    expect(groups.findIndex(({ name }) => name === GROUP)).toBeGreaterThan(
      groups.findIndex(({ name }) => name === 'resource.k8s.io'),
    );
    const accept = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' };
    const list = await send<{ items: { metadata: { name: string }; versions: unknown[] }[] }>(
      'GET',
      '/apis',
      undefined,
      accept,
    );
    expect(list.items.find(({ metadata }) => metadata.name === GROUP)?.versions).toMatchObject([
      {
        version: 'v1alpha1',
        freshness: 'Current',
        resources: [
          {
            resource: 'flunders',
            responseKind: { group: '', version: '', kind: 'Flunder' },
            scope: 'Namespaced',
            shortNames: ['fl'],
            subresources: [{ subresource: 'status', verbs: ['get', 'update'] }],
          },
          { resource: 'other', responseKind: { kind: '' }, verbs: [], subresources: [{ subresource: 'echo' }] },
        ],
      },
    ]);
    expect(await send('GET', `/apis/${GROUP}`)).toMatchObject({ kind: 'APIGroup', name: GROUP });
    expect(await send('GET', BASE)).toMatchObject({ kind: 'APIResourceList', resources: { length: 4 } });
    expect(await send('GET', `/openapi/v3${BASE}`)).toMatchObject({ info: { title: 'wardle' } });
    const index = await fetchRaw('GET', '/openapi/v3');
    const { paths } = JSON.parse(index.text) as { paths: Record<string, { serverRelativeURL: string }> };
    expect(paths[BASE.slice(1)]?.serverRelativeURL).toBe(`/openapi/v3${BASE}?hash=1`);
    expect(paths).toHaveProperty('api/v1');
    const again = await fetchRaw('GET', '/openapi/v3', { headers: { 'if-none-match': String(index.headers.etag) } });
    expect(again).toMatchObject({ status: 304, text: '' });
  });

  it('is stale in discovery while it is unavailable, and comes back', async () => {
    const changes = await send<APIService>('GET', `${API_SERVICES}/v1alpha1.${GROUP}`);
    const { caBundle: _, ...insecure } = changes.spec;
    await send('PUT', `${API_SERVICES}/v1alpha1.${GROUP}`, { ...changes, spec: insecure });
    expect((await condition('FailedDiscoveryCheck')).message).toMatch(/tls: failed to verify certificate: x509/);
    const accept = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' };
    const list = await send<{
      items: { metadata: { name: string }; versions: { freshness: string; resources: unknown[] }[] }[];
    }>('GET', '/apis', undefined, accept);
    const stale = list.items.find(({ metadata }) => metadata.name === GROUP)?.versions[0];
    expect(stale).toMatchObject({ freshness: 'Stale', resources: { length: 2 } });
    const current = await send<APIService>('GET', `${API_SERVICES}/v1alpha1.${GROUP}`);
    await send('PUT', `${API_SERVICES}/v1alpha1.${GROUP}`, {
      ...current,
      spec: { ...insecure, insecureSkipTLSVerify: true },
    });
    await condition('Passed');
    expect((await fetchRaw('GET', `${BASE}/flunders`)).status).toBe(200);
  });

  it('answers 503 with the cause when its server goes away, and 404 when the APIService does', async () => {
    await extension.close();
    const gone = await fetchRaw('GET', `${BASE}/flunders`);
    expect(gone.status).toBe(503);
    expect(gone.text).toMatch(/^error trying to reach service: dial tcp .*connection refused\n$/);
    await send('DELETE', `${API_SERVICES}/v1alpha1.${GROUP}`);
    expect((await fetchRaw('GET', `${BASE}/flunders`)).status).toBe(404);
    const { groups } = await send<{ groups: { name: string }[] }>('GET', '/apis');
    expect(groups.map(({ name }) => name)).not.toContain(GROUP);
  });
});

describe('APIServices of local groups', () => {
  it('are there for whoever looks, and always available', async () => {
    const { items } = await send<KubeList<APIService>>('GET', API_SERVICES);
    const find = (name: string) => items.find(({ metadata }) => metadata.name === name);
    expect(find('v1.')).toMatchObject({
      metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: { version: 'v1', groupPriorityMinimum: 18_000, versionPriority: 1 },
      status: { conditions: [{ type: 'Available', status: 'True', reason: 'Local' }] },
    });
    expect(find('v2.autoscaling')?.spec).toMatchObject({ groupPriorityMinimum: 17_500, versionPriority: 30 });
    expect(find('v1.apps')?.spec).toMatchObject({ group: 'apps', groupPriorityMinimum: 17_800, versionPriority: 15 });
    expect(find('v1.apiregistration.k8s.io')).toBeUndefined();
  });

  it('follow CustomResourceDefinitions', async () => {
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const names = { plural: 'crons', singular: 'cron', kind: 'Cron', listKind: 'CronList' };
    const created = await send('POST', crds, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'crons.stable.example.com' },
      spec: {
        group: 'stable.example.com',
        scope: 'Namespaced',
        names,
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    });
    await send('PUT', `${crds}/crons.stable.example.com/status`, {
      ...created,
      status: { acceptedNames: names, storedVersions: ['v1'], conditions: [{ type: 'Established', status: 'True' }] },
    });
    const name = `${API_SERVICES}/v1.stable.example.com`;
    const found = await until(() => send<APIService>('GET', name).catch(() => undefined));
    expect(found).toMatchObject({
      metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'true' } },
      spec: { groupPriorityMinimum: 1000, versionPriority: 100 },
    });
    await send('DELETE', name);
    await until(() => send<APIService>('GET', name).catch(() => undefined));
    await send('DELETE', `${crds}/crons.stable.example.com`);
    await until(() =>
      send('GET', name).then(
        () => undefined,
        () => true,
      ),
    );
  });
});

it('publishes whom extension API servers may believe', async () => {
  const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
  const { data } = await send<ConfigMap>('GET', path);
  expect(data).toMatchObject({
    'client-ca-file': pki.ca.cert,
    'requestheader-client-ca-file': pki.frontProxyCa.cert,
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-username-headers': '["X-Remote-User"]',
    'requestheader-uid-headers': '["X-Remote-Uid"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
  });
});

async function until<T>(check: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const value = await check();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it never came');
}
