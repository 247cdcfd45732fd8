import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UnstructuredObject, WatchEvent } from '../apimachinery/meta.ts';
import type { WatchStream } from '../apimachinery/transport.ts';
import type { ResourceType } from '../client/client.ts';
import { ConfigMaps } from '../client/resource-types.gen.ts';
import { ProtobufEncoding } from './http/protobuf.ts';
import { startTestApiServer, type TestApiServer } from './testing.ts';

/** Every run sends the same. */
const SEED = 20_260_101;
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const configMaps = '/api/v1/namespaces/default/configmaps';

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

describe('requests made of anything', () => {
  let test: TestApiServer;
  let folder: string;
  let protobuf: ProtobufEncoding;
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  const events: WatchEvent[] = [];
  let watch: WatchStream;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'k8ts-fuzz-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
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
    });
    protobuf = await ProtobufEncoding.load();
    const configs = test.client.for(ConfigMaps);
    await configs.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kept', namespace: 'default' },
      data: { a: '1' },
    });
    watch = test.client
      .for<UnstructuredObject>(ConfigMaps as ResourceType)
      .watch({ namespace: 'default', labelSelector: 'witness' }, (batch) => events.push(...batch));
  });
  afterAll(async () => {
    watch.stop();
    agent.destroy();
    await test.stop();
    rmSync(folder, { recursive: true });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  /** Sends it, and has an answer that a client can use: what is not a success is a Status that blames the request. */
  async function send({ method, path, headers = {}, body }: Sent): Promise<void> {
    const { code, text, type } = await new Promise<{ code: number; text: string; type: string }>((resolve, reject) => {
      const outgoing = httpsRequest(`${test.url}`, { method, path, agent, headers, timeout: 10_000 }, (response) => {
        let text = '';
        response.setEncoding('latin1');
        const done = () =>
          resolve({ code: response.statusCode ?? 0, text, type: String(response.headers['content-type'] ?? '') });
        response.on('data', (chunk) => {
          text += chunk;
          // A watch that was taken has been answered.
          if (/[?&]watch=(1|true)/.test(path) && response.statusCode === 200) outgoing.destroy();
        });
        response.on('end', done);
        response.on('close', done);
        response.on('error', done);
        if (/[?&]watch=/.test(path) && response.statusCode === 200) setTimeout(() => outgoing.destroy(), 20).unref();
      });
      outgoing.on('timeout', () => reject(new Error(`no answer to ${method} ${path}`)));
      outgoing.on('error', (error) => ('code' in error && error.code === 'ECONNRESET' ? undefined : reject(error)));
      outgoing.end(body);
    });
    if (code < 400) return;
    const shown = `${method} ${path} ${JSON.stringify(headers)} ${String(body).slice(0, 200)}: ${code} ${text.slice(0, 300)}`;
    expect(code, shown).not.toBe(500);
    expect(code, shown).toBeLessThan(505);
    if (type.includes('json') && method !== 'HEAD')
      expect(JSON.parse(text), shown).toMatchObject({ kind: 'Status', code });
  }

  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      '',
      '0',
      '-1',
      '1e999',
      '9'.repeat(40),
      '__proto__',
      'constructor',
      '../..',
      '%00',
      'a'.repeat(5000),
      '\u0000',
      'true',
    ),
  );
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      text,
      fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e300, 2 ** 63, {}, []),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(
        fc.oneof(text, fc.constantFrom('metadata', 'spec', 'name', 'labels', 'data', '__proto__')),
        tie('any'),
        { maxKeys: 4 },
      ),
    ),
  })).any;
  const encoded = text.map((part) => encodeURIComponent(Buffer.from(part).toString()));
  const segments = fc.constantFrom(
    'api',
    'apis',
    'v1',
    'namespaces',
    'default',
    'pods',
    'configmaps',
    'kept',
    'apps',
    'deployments',
    'status',
    'scale',
    'watch',
    'proxy',
    'exec',
    'log',
    'openapi',
    'v2',
    'v3',
    'token',
    'eviction',
    'binding',
    'serviceaccounts',
    'nodes',
    '.',
    '..',
    '',
  );
  const parameters = fc.constantFrom(
    'labelSelector',
    'fieldSelector',
    'limit',
    'continue',
    'resourceVersion',
    'resourceVersionMatch',
    'watch',
    'timeoutSeconds',
    'sendInitialEvents',
    'allowWatchBookmarks',
    'dryRun',
    'fieldManager',
    'fieldValidation',
    'force',
    'pretty',
    'includeObject',
    'propagationPolicy',
    'gracePeriodSeconds',
    'orphanDependents',
  );
  const query = fc
    .array(
      fc.tuple(
        parameters,
        fc.oneof(
          encoded,
          fc.constantFrom(
            '1',
            'true',
            'All',
            'Exact',
            'NotOlderThan',
            'Strict',
            'a%3Db',
            'a%20in%20(b',
            'metadata.name%3Dkept',
            'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ',
          ),
        ),
      ),
      { maxLength: 4 },
    )
    .map((pairs) => (pairs.length ? `?${pairs.map(([name, given]) => `${name}=${given}`).join('&')}` : ''));
  const run = (property: fc.IAsyncProperty<[Sent]>, numRuns: number) =>
    fc.assert(property, { seed: SEED, numRuns, endOnFailure: true });

  it('by their path, query and headers', async () => {
    const path = fc
      .array(fc.oneof({ weight: 8, arbitrary: segments }, { weight: 1, arbitrary: encoded }), {
        minLength: 1,
        maxLength: 8,
      })
      .map((parts) => `/${parts.join('/')}`);
    const headers = fc.dictionary(
      fc.constantFrom(
        'accept',
        'accept-encoding',
        'content-type',
        'impersonate-user',
        'impersonate-group',
        'if-none-match',
        'range',
        'user-agent',
        'authorization',
        'x-remote-user',
        'connection',
        'expect',
        'te',
        'audit-id',
      ),
      fc.oneof(
        fc.constantFrom(
          'application/json;as=Table;v=v1;g=meta.k8s.io',
          'application/json;q=0',
          ';;;',
          '*/*;q=9',
          PROTOBUF,
          'gzip;q=0',
          'x'.repeat(2000),
        ),
        fc.string({ unit: fc.constantFrom(...'abc;=,/*"\\ 01'), maxLength: 30 }),
      ),
      { maxKeys: 3 },
    );
    const sent = fc.record({
      method: fc.constantFrom('GET', 'GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE', 'PATCH', 'PUT'),
      path: fc.tuple(fc.oneof(path, fc.constant(configMaps)), query).map((parts) => parts.join('')),
      headers,
    });
    // What deletes collections would take the objects of the other tests.
    const harmless = sent.filter(
      ({ method, path: at }) =>
        method !== 'DELETE' || !/^\/api\/v1\/namespaces(\/default)?(\/configmaps)?(\/kept)?\/?(\?|$)/.test(at),
    );
    await run(
      fc.asyncProperty(
        harmless.map(({ headers: { connection: _, expect: __, ...rest }, ...more }) => ({ ...more, headers: rest })),
        send,
      ),
      800,
    );
  }, 30_000);

  it('by their body: JSON, YAML and patches', async () => {
    const types = [
      'application/json',
      'application/yaml',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
      'application/apply-patch+yaml',
      'text/plain',
      '',
    ];
    const typed = fc.record({
      apiVersion: fc.constant('v1'),
      kind: fc.constant('ConfigMap'),
      metadata: fc.oneof(
        fc.record(
          {
            name: fc.constantFrom('kept', 'fuzzed'),
            labels: value,
            annotations: value,
            managedFields: value,
            ownerReferences: value,
            finalizers: value,
          },
          { requiredKeys: ['name'] },
        ),
        value,
      ),
      data: value,
    });
    const patch = fc.array(
      fc.record(
        {
          op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'other'),
          path: fc.oneof(
            fc.constantFrom(
              '/data/a',
              '/metadata/labels/x~1y',
              '/__proto__/polluted',
              '/constructor/prototype/polluted',
              '/data/-',
              '/metadata',
            ),
            text,
          ),
          from: fc.constantFrom('/data', '/metadata', ''),
          value,
        },
        { requiredKeys: ['op', 'path'] },
      ),
      { maxLength: 4 },
    );
    const directives = fc.dictionary(
      fc.constantFrom(
        '$patch',
        '$retainKeys',
        '$setElementOrder/items',
        '$deleteFromPrimitiveList/finalizers',
        'metadata',
        'data',
      ),
      value,
      { maxKeys: 4 },
    );
    const body = fc.oneof(
      value.map((given) => JSON.stringify(given) ?? ''),
      typed.map((given) => JSON.stringify(given)),
      patch.map((given) => JSON.stringify(given)),
      directives.map((given) => JSON.stringify(given)),
      text,
      fc.constantFrom(
        'a: &a [*a, *a]',
        '{"a":'.repeat(3000),
        '- '.repeat(3000),
        '{{{{',
        '%YAML 9\n---\n',
        '!!js/function x',
        'a: 1\n<<: {b: 2}\n',
      ),
    );
    const sent = fc.record({
      method: fc.constantFrom('POST', 'PUT', 'PATCH', 'PATCH'),
      path: fc
        .tuple(
          fc.constantFrom(configMaps, `${configMaps}/kept`, `${configMaps}/fuzzed`),
          query.filter((given) => !given.includes('watch')),
        )
        .map((parts) => parts.join('')),
      headers: fc.constantFrom(...types).map((type) => ({ 'content-type': type })),
      body,
    });
    await run(fc.asyncProperty(sent, send), 800);
  }, 30_000);

  it('by their body: protobuf', async () => {
    const whole = Buffer.from(
      protobuf.object({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', labels: { a: 'b' } },
        spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'A', value: 'b' }] }] },
      } as never)!,
    );
    const damaged = fc
      .tuple(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(whole.length))
      .map(([changes, end]) => {
        const copy = Buffer.from(whole.subarray(0, end));
        for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte;
        return copy;
      });
    const body = fc.oneof(
      damaged,
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.concat([Buffer.from('k8s\0'), bytes])),
      fc.uint8Array({ maxLength: 100 }),
    );
    const sent = fc.record({
      method: fc.constantFrom('POST', 'PUT', 'DELETE'),
      path: fc.constantFrom(
        '/api/v1/namespaces/default/pods?dryRun=All',
        '/api/v1/namespaces/default/pods/p?dryRun=All',
        '/api/v1/namespaces/default/pods/p/eviction',
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      ),
      headers: fc.constant({ 'content-type': PROTOBUF, accept: PROTOBUF }),
      body,
    });
    await run(fc.asyncProperty(sent, send), 800);
  }, 30_000);

  it('by their size', async () => {
    const json = { 'content-type': 'application/json' };
    const labels = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`label-${index}`, 'x']));
    const object = (fields: object) => JSON.stringify({ metadata: { name: 'large' }, ...fields });
    const selector = encodeURIComponent(Array.from({ length: 2_000 }, (_, index) => `a${index}!=b`).join(','));
    const doubling = Array.from({ length: 60 }, () => ({
      op: 'copy',
      from: '/metadata',
      path: '/metadata/annotations',
    }));
    const bombs: Sent[] = [
      {
        method: 'PATCH',
        path: `${configMaps}/kept`,
        headers: { 'content-type': 'application/json-patch+json' },
        body: JSON.stringify(doubling),
      },
      { method: 'POST', path: configMaps, headers: json, body: object({ metadata: { name: 'large', labels } }) },
      {
        method: 'POST',
        path: configMaps,
        headers: json,
        body: object({ data: { a: 'x'.repeat(3 * 1024 * 1024 - 200) } }),
      },
      {
        method: 'POST',
        path: configMaps,
        headers: json,
        body: object({ data: Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`key${index}`, ''])) }),
      },
      { method: 'POST', path: configMaps, headers: json, body: `{"data":${'{"a":'.repeat(400_000)}` },
      {
        method: 'POST',
        path: configMaps,
        headers: { 'content-type': 'application/yaml' },
        body: `a: &a0 [x, x]\n${Array.from({ length: 30 }, (_, index) => `b${index}: &a${index + 1} [*a${index}, *a${index}]\n`).join('')}`,
      },
      { method: 'POST', path: configMaps, headers: { 'content-type': 'application/yaml' }, body: '['.repeat(500_000) },
      { method: 'POST', path: configMaps, headers: { 'content-type': 'application/yaml' }, body: '- '.repeat(500_000) },
      {
        method: 'POST',
        path: configMaps,
        headers: { 'content-type': 'application/yaml' },
        body: '{a: '.repeat(300_000),
      },
      { method: 'POST', path: configMaps, headers: { 'content-type': 'application/yaml' }, body: '? '.repeat(300_000) },
      {
        method: 'POST',
        path: configMaps,
        headers: json,
        body: object({ immutable: true, data: { n: '9'.repeat(100_000) } }),
      },
      {
        method: 'PATCH',
        path: `${configMaps}/kept`,
        headers: { 'content-type': 'application/json-patch+json' },
        body: JSON.stringify(Array.from({ length: 20_000 }, () => ({ op: 'copy', from: '/data', path: '/data/a' }))),
      },
      { method: 'GET', path: `${configMaps}?labelSelector=${selector}` },
      { method: 'GET', path: `${configMaps}?continue=${'A'.repeat(30_000)}` },
    ];
    for (const bomb of bombs) await send(bomb);
  }, 30_000);

  it('leave the watch of somebody else as it was', async () => {
    const configs = test.client.for(ConfigMaps);
    await configs.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'last', namespace: 'default', labels: { witness: 'yes' } },
    });
    await configs.delete({ namespace: 'default', name: 'last' });
    await expect
      .poll(() => events.filter(({ object }) => object.metadata.name === 'last').map(({ type }) => type))
      .toEqual(['ADDED', 'DELETED']);
  });
});
