import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubectlVersion, kubectlPath } from '../../../test/support/tools.ts';
import { defineKind } from '../../api/define.ts';
import type { Schema } from '../../apimachinery/schema.ts';
import { openPki } from '../../cluster/pki/pki.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';

const VERSIONS = ['1.36', '1.27'] as const;

describe('OpenAPI', () => {
  let api: TestApiServer;
  let ca: string;
  let directory: string;

  beforeAll(async () => {
    const pki = await openPki();
    ca = pki.ca.cert;
    api = await startTestApiServer({
      listen: { host: '127.0.0.1', tls: await pki.issue({ commonName: 'x', usages: ['server'], ips: ['127.0.0.1'] }) },
    });
    directory = mkdtempSync(join(tmpdir(), 'k8ts-openapi-'));
    writeFileSync(
      join(directory, 'config'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
        clusters: [
          {
            name: 'test',
            cluster: { server: api.url, 'certificate-authority-data': Buffer.from(ca).toString('base64') },
          },
        ],
        users: [{ name: 'test', user: { token: 'any' } }],
      }),
    );
  });
  afterAll(async () => {
    await api.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function kubectl(version: KubectlVersion, ...args: string[]): Promise<string> {
    const child = spawn(await kubectlPath(version), [
      '--kubeconfig',
      join(directory, 'config'),
      '--cache-dir',
      join(directory, version),
      ...args,
    ]);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    await new Promise((resolve) => child.once('close', resolve));
    return text;
  }

  const get = (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }>((resolve, reject) => {
      request(api.url + path, { ca, headers, agent: false }, async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
      })
        .on('error', reject)
        .end();
    });
  const json = async (path: string) => JSON.parse((await get(path)).body.toString());

  it.each(VERSIONS)('is what kubectl %s explains from, in version 3 and in protobuf of version 2', async (version) => {
    const explained = await kubectl(version, 'explain', 'deployment.spec.template.spec.containers.livenessProbe');
    expect(explained).toMatch(/GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: livenessProbe <Probe>/);
    expect(explained).toContain('failureThreshold\t<integer>\n    How many failures in a row');
    expect(await kubectl(version, 'explain', 'pod.spec.volumes', '--recursive')).toMatch(
      /secret\t<SecretVolumeSource>\n {4}defaultMode\t<integer>\n {4}items\t<\[\]KeyToPath>\n {6}key\t<string> -required-/,
    );
    const old = await kubectl(version, 'explain', 'service.spec.ports', '--output', 'plaintext-openapiv2');
    expect(old).toMatch(/RESOURCE: ports <\[\]Object>[\s\S]*nodePort\t<integer>[\s\S]*port\t<integer> -required-/);
  });

  it('says how lists merge, what is required, and which kind a definition is', async () => {
    const { components, paths } = await json('/openapi/v3/api/v1');
    const { properties, required } = components.schemas['io.k8s.api.core.v1.PodSpec'];
    expect(properties.containers).toMatchObject({
      type: 'array',
      items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-patch-merge-key': 'name',
    });
    expect(required).toEqual(['containers']);
    expect(components.schemas['io.k8s.api.core.v1.Pod']['x-kubernetes-group-version-kind']).toEqual([
      { group: '', version: 'v1', kind: 'Pod' },
    ]);
    expect(components.schemas['io.k8s.apimachinery.pkg.api.resource.Quantity'].oneOf).toHaveLength(2);
    const patch = paths['/api/v1/namespaces/{namespace}/pods/{name}'].patch;
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: '', version: 'v1', kind: 'Pod' });
    expect(patch.parameters.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['fieldValidation', 'dryRun', 'fieldManager', 'force']),
    );
    expect(paths['/api/v1/namespaces/{namespace}/pods/{name}/exec'].post).toBeDefined();
    for (const text of JSON.stringify(paths).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      expect(components.schemas).toHaveProperty([text[1]!]);
  });

  it('resolves every reference of version 2, and answers in the protobuf form on request', async () => {
    const { body } = await get('/openapi/v2');
    const text = body.toString();
    const { definitions, swagger } = JSON.parse(text);
    expect(swagger).toBe('2.0');
    for (const name of new Set([...text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)].map((match) => match[1]!)))
      expect(definitions).toHaveProperty([name]);
    const asked = await get('/openapi/v2', { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' });
    expect(asked.headers['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    expect(asked.body.toString('latin1', 0, 5)).toBe('\n\x032.0');
    expect((await get('/openapi/v2', { accept: 'text/html' })).status).toBe(406);
  });

  it('lets clients keep documents by their hash, and tells them of new kinds', async () => {
    const before = await json('/openapi/v3');
    const url: string = before.paths['apis/apps/v1'].serverRelativeURL;
    const first = await get(url);
    expect(first.headers['cache-control']).toBe('public, immutable');
    const etag = first.headers.etag as string;
    expect(url).toContain(etag.slice(1, -1));
    expect((await get(url, { 'if-none-match': etag })).status).toBe(304);
    expect((await get('/openapi/v3/apis/apps/v1?hash=OLD')).headers.location).toBe(url);
    expect((await get('/openapi/v3/apis/none/v1')).status).toBe(404);

    const text: Schema = { type: 'string', constraints: { description: 'When to run.', pattern: '^.+$' } };
    const spec: Schema = { type: 'object', fields: () => new Map([['cron', { schema: text, required: true }]]) };
    const schema: Schema = { type: 'object', fields: () => new Map([['spec', { schema: spec }]]) };
    api.server.services.kinds.add(
      defineKind({
        group: 'stable.example.com',
        version: 'v1',
        kind: 'CronTab',
        resource: 'crontabs',
        schema,
        verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
      }),
    );
    const after = await json('/openapi/v3');
    expect(after.paths['apis/apps/v1']).toEqual(before.paths['apis/apps/v1']);
    const crontab = (await json(after.paths['apis/stable.example.com/v1'].serverRelativeURL)).components.schemas[
      'com.example.stable.v1.CronTab'
    ];
    expect(crontab.properties.spec).toEqual({
      type: 'object',
      properties: { cron: { type: 'string', description: 'When to run.', pattern: '^.+$' } },
      required: ['cron'],
    });
    expect(await kubectl('1.36', 'explain', 'crontab.spec')).toContain('cron\t<string> -required-\n    When to run.');
  });
});
