import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { networkInterfaces } from 'node:os';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPki } from '../../cluster/pki/pki.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';
import { backendPath } from './backend-path.ts';
import { HtmlLinks } from './html-links.ts';
import { podLogQuery } from './pod-log-options.ts';
import { addProxyRoutes } from './proxy-routes.ts';
import { rewriteUrl } from './rewrite-url.ts';
import { parseSchemeNamePort } from './scheme-name-port.ts';

const host = Object.values(networkInterfaces())
  .flat()
  .find((address) => address && !address.internal && address.family === 'IPv4')?.address;

describe.skipIf(!host)(`proxying${host ? '' : ' (skipped: the machine has loopback only)'}`, () => {
  let api: TestApiServer;
  let backend: Server;
  let port: number;
  let ca: string;
  /** Of a user who may only read. */
  let mayCreate = true;

  beforeAll(async () => {
    backend = createServer(async (incoming, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      if (incoming.url === '/redirect') return void response.writeHead(302, { location: '/there?x=1' }).end();
      if (incoming.url === '/packed')
        return void response
          .writeHead(200, {
            'content-type': 'text/html; charset=utf-8',
            'content-encoding': 'gzip',
            'access-control-allow-origin': '*',
          })
          .end(gzipSync('<img longdesc=/d src="/s">'));
      if (incoming.url === '/page')
        return void response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<a class="x" href="/next">n</a><img src=\'//cdn/x\'><p title="/no"');
      response.setHeader('x-own', 'yes');
      response.end(
        JSON.stringify({
          method: incoming.method,
          url: incoming.url,
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    backend.on('upgrade', (incoming, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\nX-Protocols: ${incoming.headers['sec-websocket-protocol']}\r\n\r\n`,
      );
      socket.pipe(socket);
    });
    backend.listen(0, '0.0.0.0');
    await once(backend, 'listening');
    port = (backend.address() as { port: number }).port;
    const pki = await openPki();
    ca = pki.ca.cert;
    const kubelet = await pki.issue({ commonName: 'kube-apiserver-kubelet-client', usages: ['client'] });
    api = await startTestApiServer({
      listen: { host: '127.0.0.1', tls: await pki.issue({ commonName: 'x', usages: ['server'], ips: ['127.0.0.1'] }) },
      authorization: () => ({
        name: 'test',
        authorize: ({ verb, user }) =>
          verb === 'create' && !mayCreate && user.name === 'test-admin'
            ? { decision: 'noOpinion' }
            : { decision: 'allow' },
      }),
    });
    addProxyRoutes(api.server, { kubelet: () => ({ ...kubelet, ca }) });
    const core = '/api/v1/namespaces/default';
    const create = (path: string, body: object) => api.client.request({ method: 'POST', path, body });
    const container = (name: string, ports: object[] = []) => ({ name, image: 'x', ports });
    await create('/api/v1/nodes', { metadata: { name: 'n1' } });
    await create(`${core}/pods`, {
      metadata: { name: 'web' },
      spec: { nodeName: 'n1', containers: [container('c', [{ containerPort: port }])] },
    });
    await create(`${core}/pods`, {
      metadata: { name: 'two' },
      spec: { nodeName: 'n1', containers: [container('a'), container('b')], initContainers: [container('i')] },
    });
    await create(`${core}/pods`, { metadata: { name: 'waiting' }, spec: { containers: [container('c')] } });
    await api.client.request({
      method: 'PATCH',
      path: `${core}/pods/web/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { podIP: host, podIPs: [{ ip: host }] } },
    });
    await create(`${core}/services`, {
      metadata: { name: 'web' },
      spec: { ports: [{ name: 'http', port: 80, targetPort: port }] },
    });
    await create(`${core}/services`, { metadata: { name: 'none' }, spec: { ports: [{ port: 80 }] } });
    await create('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port, protocol: 'TCP' }],
      endpoints: [
        { addresses: [host], conditions: { ready: true } },
        { addresses: ['192.0.2.9'], conditions: { ready: false } },
      ],
    });
  });
  afterAll(async () => {
    await api.stop();
    backend.close();
    backend.closeAllConnections();
  });

  const call = (
    path: string,
    {
      method = 'GET',
      headers = {},
      body = '',
      binary = false,
    }: { method?: string; headers?: Record<string, string>; body?: string; binary?: boolean } = {},
  ) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>((resolve, reject) => {
      const sent = request(
        `${api.url}${path}`,
        { method, headers: { authorization: 'Bearer secret', ...headers }, ca, agent: false },
        async (response) => {
          let text = '';
          if (binary) response.setEncoding('latin1');
          for await (const chunk of response) text += chunk;
          resolve({ status: response.statusCode!, headers: response.headers, text });
        },
      );
      sent.on('upgrade', (response, socket) => {
        socket.on('data', (chunk) => {
          resolve({ status: 101, headers: response.headers, text: chunk.toString() });
          socket.destroy();
        });
        socket.write('ping');
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const messageOf = async (path: string, options?: Parameters<typeof call>[1]) => {
    const { status, text } = await call(path, options);
    return `${status} ${JSON.parse(text).message}`;
  };
  const pods = '/api/v1/namespaces/default/pods';
  const services = '/api/v1/namespaces/default/services';

  it('passes requests on with path, query and body, without the credentials', async () => {
    for (const path of [
      `${services}/web:http/proxy/a%2Fb/c?x=1&y=%20`,
      `${services}/http:web:80/proxy/a%2Fb/c?x=1&y=%20`,
      `${pods}/web/proxy/a%2Fb/c?x=1&y=%20`,
      `${pods}/web:${port}/proxy/a%2Fb/c?x=1&y=%20`,
    ]) {
      const { status, text, headers } = await call(path, {
        method: 'POST',
        body: 'hello',
        headers: { 'x-mine': '1', 'content-type': 'text/plain' },
      });
      expect(status).toBe(200);
      expect(headers['x-own']).toBe('yes');
      const seen = JSON.parse(text);
      expect(seen).toMatchObject({
        method: 'POST',
        url: '/a/b/c?x=1&y=%20',
        body: 'hello',
        headers: { 'x-mine': '1', 'x-forwarded-uri': expect.stringMatching(/\/proxy\/a\/b\/c$/) },
      });
      expect(seen.headers.authorization).toBeUndefined();
    }
  });

  it('passes every method on, with or without a path', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'])
      for (const path of [`${services}/web:http/proxy`, `${pods}/web/proxy`]) {
        const body = ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method) ? 'hello' : '';
        const headers = body ? { 'content-length': '5' } : {};
        const { status, text } = await call(`${path}/x?method=${method}`, { method, body, headers: headers as never });
        expect([method, status]).toEqual([method, 200]);
        if (method !== 'HEAD') expect(JSON.parse(text)).toMatchObject({ method, url: `/x?method=${method}`, body });
        const bare = await call(`${path}?method=${method}`, { method, body, headers: headers as never });
        if (method === 'GET' || method === 'HEAD') expect(bare.status).toBe(301);
        else expect(JSON.parse(bare.text)).toMatchObject({ method, url: `/?method=${method}`, body });
      }
  });

  it('keeps redirects and links of pages within the proxy', async () => {
    const prefix = `${services}/web:http/proxy`;
    expect((await call(prefix)).headers.location).toBe(`${prefix}/`);
    expect((await call(`${prefix}/redirect`)).headers.location).toBe(`${prefix}/there?x=1`);
    expect((await call(`${prefix}/page`)).text).toBe(
      `<a class="x" href="${prefix}/next">n</a><img src='//cdn/x'><p title="/no"`,
    );
    const packed = await call(`${prefix}/packed`, { binary: true });
    expect(gunzipSync(Buffer.from(packed.text, 'latin1')).toString()).toBe(
      `<img longdesc=${prefix}/d src="${prefix}/s">`,
    );
    expect(packed.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('passes a body on whose length nobody told, whatever the method', async () => {
    const session = connect(api.url, { ca });
    const head = { ':method': 'DELETE', ':path': `${services}/web:http/proxy/x` };
    const stream = session.request(head, { endStream: false });
    stream.end('hello');
    let text = '';
    for await (const chunk of stream) text += chunk;
    session.destroy();
    expect(JSON.parse(text)).toMatchObject({ method: 'DELETE', body: 'hello' });
  });

  it.each([
    ['/a?b#c', '/p/a?b#c'],
    ['/', '/p/'],
    ['a/b', 'a/b'],
    ['?x', '?x'],
    ['/p/a', '/p/a'],
    ['/a/../b/', '/p/b/'],
    ['http://10.0.0.1:80/x', '/p/x'],
    ['http://10.0.0.1/x', 'http://10.0.0.1/x'],
    ['https://me:6443/x', 'https://me:6443/p/x'],
    ['//cdn/x', '//cdn/x'],
    ['mailto:a@b', 'mailto:a@b'],
  ])('sends %s to %s', (url, wanted) => {
    expect(rewriteUrl(url, { prefix: '/p', backend: '10.0.0.1:80', requested: 'me:6443' })).toBe(wanted);
  });

  it.each([
    ['', ''],
    ['/', '/'],
    ['//', '/'],
    ['/a//b/', '/a/b/'],
    ['/a/../../b', '/b'],
    ['/a/./b/.', '/a/b'],
    ['/a/b/..', '/a'],
    ['/a%2F%2e%2e%2Fb%20(1)', '/b%20%281%29'],
    ['/%C3%A4:@;=+$&,~', '/%C3%A4:@;=+$&,~'],
  ])('asks a backend for the clean path: %s as %s', (path, wanted) => {
    expect(backendPath(path)).toBe(wanted);
  });

  it('lets upgrades through, without the token among the protocols', async () => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-protocol': 'chat, base64url.bearer.authorization.k8s.io.c2VjcmV0',
    };
    expect(await call(`${pods}/web/proxy/ws`, { headers })).toMatchObject({
      status: 101,
      text: 'ping',
      headers: { 'x-protocols': 'chat' },
    });
  });

  it('says what is missing', async () => {
    expect(await messageOf(`${services}/gone/proxy/`)).toBe('404 services "gone" not found');
    expect(await messageOf(`${services}/none/proxy/`)).toBe('503 no endpoints available for service "none"');
    expect(await messageOf(`${services}/web:other/proxy/`)).toBe('503 no endpoints available for service "web:other"');
    expect(await messageOf(`${services}/web:81/proxy/`)).toBe('503 no service port 81 found for service "web"');
    expect(await messageOf(`${pods}/waiting/proxy/`)).toBe('400 address not allowed');
    expect(await messageOf(`${pods}/web:1/proxy/`)).toBe(
      `503 error trying to reach service: dial tcp ${host}:1: connect: connection refused`,
    );
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket' };
    expect(await messageOf(`${pods}/web:1/proxy/`, { headers: upgrade })).toBe(
      `500 error dialing backend: dial tcp ${host}:1: connect: connection refused`,
    );
    expect(await messageOf(`${pods}/web/proxy/?dryRun=All`)).toBe('400 dryRun is not supported');
    expect(await messageOf(`${pods}/gone/log`)).toBe('404 pods "gone" not found');
    expect(await messageOf(`${pods}/two/log`)).toBe(
      '400 a container name must be specified for pod two, choose one of: [i a b]',
    );
    expect(await messageOf(`${pods}/two/log?container=x`)).toBe('400 container x is not valid for pod two');
    expect((await call(`${pods}/waiting/log`)).status).toBe(204);
    expect(await messageOf(`${pods}/web/log`)).toBe('500 no preferred addresses found; known addresses: []');
    expect(await messageOf(`${pods}/waiting/exec?command=id`, { method: 'POST' })).toBe(
      '400 pod waiting does not have a host assigned',
    );
    expect(await messageOf(`${pods}/web/exec?command=id`, { method: 'PUT' })).toMatch(/^405 /);
    await api.client.request({
      method: 'PATCH',
      path: '/api/v1/nodes/n1/status',
      contentType: 'application/merge-patch+json',
      body: {
        status: {
          addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
          daemonEndpoints: { kubeletEndpoint: { Port: 1 } },
        },
      },
    });
    expect(await messageOf(`${pods}/web/log?tailLines=5`)).toBe(
      '500 Get "https://127.0.0.1:1/containerLogs/default/web/c?tailLines=5": dial tcp 127.0.0.1:1: connect: connection refused',
    );
    expect(
      await messageOf(`${pods}/web/exec?command=id`, {
        method: 'POST',
        headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1' },
      }),
    ).toBe('500 error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused');
  });

  it('takes a WebSocket for what it is: running a command needs create', async () => {
    mayCreate = false;
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-version': '13',
    };
    for (const what of ['exec?command=id', 'attach', 'portforward'])
      expect(await messageOf(`${pods}/web/${what}`, { headers })).toMatch(
        /^403 pods "web" is forbidden: User "test-admin" cannot create resource "pods\/\w+" in API group "" in the namespace "default"/,
      );
    mayCreate = true;
  });
});

describe('names and options', () => {
  it('reads names with scheme and port', () => {
    expect(parseSchemeNamePort('a')).toEqual({ scheme: 'http', name: 'a', port: '' });
    expect(parseSchemeNamePort('https:a:')).toEqual({ scheme: 'https', name: 'a', port: '' });
    expect(parseSchemeNamePort(':a:8080')).toEqual({ scheme: 'http', name: 'a', port: '8080' });
    for (const bad of ['', 'ftp:a:1', 'a:0', 'a:65536', 'a:1:2:3', 'a:-'])
      expect(parseSchemeNamePort(bad)).toBeUndefined();
  });

  it('refuses log options that make no sense', () => {
    const query = (text: string) => podLogQuery('p', new URLSearchParams(text)).toString();
    expect(query('container=c&follow=true&previous=false&tailLines=0&timestamps=1')).toBe(
      'follow=true&timestamps=true&tailLines=0',
    );
    expect(() => query('tailLines=-1')).toThrow(
      'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    );
    expect(() => query('sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z')).toThrow(
      'at most one of `sinceTime` or `sinceSeconds` may be specified',
    );
    expect(() => query('limitBytes=x')).toThrow('strconv.ParseInt: parsing "x": invalid syntax');
  });

  it('rewrites the links of elements, wherever a page is cut in two', async () => {
    const page =
      '<A class=a href="/x>" title="/t">ä</a><img src=/s longdesc=\'/l\'/><!-- <a href="/c"> --><script src="/j">"<a href=/k>"</script><a href="b">1 < 2</a><p cite="/q"><base';
    const wanted = page
      .replace('"/x>"', '"/p/x>"')
      .replace('=/s', '=/p/s')
      .replace("'/l'", "'/p/l'")
      .replace('"/j"', '"/p/j"');
    for (const size of [1, 3, 1000]) {
      const links = new HtmlLinks((url) => (url.startsWith('/') ? `/p${url}` : url));
      const bytes = Buffer.from(page);
      const seen: Buffer[] = [];
      links.on('data', (chunk: Buffer) => seen.push(chunk));
      for (let at = 0; at < bytes.length; at += size) links.write(bytes.subarray(at, at + size));
      links.end();
      await once(links, 'end');
      expect(Buffer.concat(seen).toString()).toBe(wanted);
    }
  });
});
