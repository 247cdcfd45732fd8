import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { ApiServerOptions } from '../../apiserver/api-server-options.ts';
import type { AuditEvent } from '../../apiserver/audit/audit-event.ts';
import { AuditLog } from '../../apiserver/audit/audit-log.ts';
import { readAuditPolicy } from '../../apiserver/audit/audit-policy.ts';
import { AuditRecorder } from '../../apiserver/audit/audit-recorder.ts';
import { AuditWebhook } from '../../apiserver/audit/audit-webhook.ts';
import { bodyOf, startHttpsServer } from '../../apiserver/authentication/testing/https-server.ts';
import { ReviewClient } from '../../apiserver/authentication/webhook/review-client.ts';
import { objectResult } from '../../apiserver/request/result.ts';
import { startTestApiServer } from '../../apiserver/testing.ts';
import { Cluster } from '../../index.ts';
import type { AuditLogDelivery } from '../audit-delivery.ts';
import { openAudit } from './audit.ts';

let directory: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'audit-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(directory, { recursive: true, force: true });
});

const config = {
  auditLogMaxAge: 0,
  auditLogMaxBackup: 0,
  auditLogMaxSize: 0,
  auditWebhookConfigFile: undefined,
  auditLogPath: undefined,
  auditPolicyFile: undefined,
  auditLog: {},
  auditWebhook: {},
};

function policyFile(policy: object): string {
  const path = join(directory, 'policy.yaml');
  writeFileSync(path, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', ...policy }));
  return path;
}

async function audited(policy: object, options: Partial<ApiServerOptions> = {}, auditLog: AuditLogDelivery = {}) {
  const auditLogPath = join(directory, 'audit.log');
  const audit = await openAudit(
    { ...config, auditPolicyFile: policyFile(policy), auditLogPath, auditLog },
    silentLogger,
  );
  const api = await startTestApiServer({ ...options, audit: audit!.trail });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await api.stop();
    await audit!.close();
  };
  ends.push(stop);
  const events = async () => {
    await stop();
    return readFileSync(auditLogPath, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent);
  };
  return { api, events, auditLogPath };
}

const configMaps = '/api/v1/namespaces/default/configmaps';
const onlyConfigMaps = { users: ['test-admin'], resources: [{ group: '', resources: ['configmaps'] }] };

it('objects of requests and answers are logged as the level says, without managed fields', async () => {
  const { api, events, auditLogPath } = await audited({
    omitStages: ['RequestReceived'],
    omitManagedFields: true,
    rules: [
      { level: 'RequestResponse', verbs: ['create', 'list'], ...onlyConfigMaps },
      { level: 'Request', verbs: ['patch'], ...onlyConfigMaps },
      { level: 'Metadata', verbs: ['get'], ...onlyConfigMaps },
    ],
  });
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } };
  await api.transport.request({ method: 'POST', path: configMaps, body });
  const contentType = 'application/merge-patch+json';
  const patch = { data: { k: 'w' } };
  await api.transport.request({ method: 'PATCH', path: `${configMaps}/a`, body: patch, contentType });
  await api.transport.request({ method: 'GET', path: configMaps, query: { limit: 5 } });
  await api.transport.request({ method: 'GET', path: `${configMaps}/none` }).catch(() => undefined);
  const [created, patched, listed, missed, ...others] = await events();
  expect(others).toEqual([]);
  expect(created).toMatchObject({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'RequestResponse',
    stage: 'ResponseComplete',
    requestURI: configMaps,
    verb: 'create',
    user: { username: 'test-admin' },
    userAgent: 'test',
    objectRef: { resource: 'configmaps', namespace: 'default', name: 'a', apiVersion: 'v1' },
    responseStatus: { code: 201 },
    requestObject: body,
    responseObject: { kind: 'ConfigMap', metadata: { name: 'a', uid: expect.any(String) } },
    annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': expect.any(String) },
  });
  expect(JSON.stringify([created, listed])).not.toContain('managedFields');
  expect(created!.stageTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  expect(patched).toMatchObject({ level: 'Request', requestObject: patch });
  expect(patched).not.toHaveProperty('responseObject');
  expect(listed).toMatchObject({
    requestURI: `${configMaps}?limit=5`,
    responseObject: { kind: 'ConfigMapList', items: [{ metadata: { name: 'a' } }] },
  });
  expect(missed).toMatchObject({ responseStatus: { code: 404, status: 'Failure', reason: 'NotFound' } });
  expect(missed).not.toHaveProperty('responseObject');
  expect(statSync(auditLogPath).mode & 0o777).toBe(0o600);
});

it('a watch and a stream begin and end; refusals say why and whom the request was done as', async () => {
  const { api, events } = await audited(
    {
      rules: [
        { level: 'Metadata', ...onlyConfigMaps },
        { level: 'Metadata', nonResourceURLs: ['/stream', '/broken'] },
      ],
    },
    {
      authorization: () => ({
        name: 'test',
        authorize: ({ user, verb }) =>
          user.name === 'bob' && verb === 'delete'
            ? { decision: 'deny', reason: 'not bob' }
            : { decision: 'allow', reason: 'fine' },
      }),
    },
  );
  api.server.router.addPath('/stream', () => ({
    type: 'takeOver',
    run: async (exchange) => exchange.send(203, { 'content-type': 'text/plain' }, 'x'),
  }));
  api.server.router.addPath('/broken', () => {
    if (directory) throw new Error('oops');
    return objectResult({});
  });
  const watch = api.transport.watch({ method: 'GET', path: configMaps }, () => undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  watch.stop();
  await watch.done.catch(() => undefined);
  await api.transport.request({ method: 'GET', path: '/stream' });
  await api.transport.request({ method: 'GET', path: '/broken' }).catch(() => undefined);
  const headers = { 'Impersonate-User': 'bob' };
  await api.transport.request({ method: 'DELETE', path: `${configMaps}/a`, headers }).catch(() => undefined);
  const logged = (await events()).map((event) => [event.verb, event.stage, event.responseStatus?.code, event] as const);
  expect(logged.map(([verb, stage, code]) => `${verb} ${stage} ${code ?? ''}`.trim())).toEqual([
    'watch RequestReceived',
    'watch ResponseStarted 200',
    'watch ResponseComplete 200',
    'get RequestReceived',
    'get ResponseStarted 203',
    'get ResponseComplete 203',
    'get RequestReceived',
    'get Panic 500',
    'delete RequestReceived',
    'delete ResponseComplete 403',
  ]);
  expect(logged[8]![3]).not.toHaveProperty('impersonatedUser');
  expect(logged[9]![3]).toMatchObject({
    auditID: logged[8]![3].auditID,
    user: { username: 'test-admin' },
    impersonatedUser: { username: 'bob' },
    annotations: { 'authorization.k8s.io/decision': 'forbid', 'authorization.k8s.io/reason': 'not bob' },
  });
});

it('a webhook gets batches, again when it failed, and the rest at the end', async () => {
  const lists: { kind: string; items: unknown[] }[] = [];
  let failures = 1;
  const server = await startHttpsServer(async (request, response) => {
    const list = await bodyOf<{ kind: string; items: unknown[] }>(request);
    if (failures-- > 0) response.statusCode = 500;
    else lists.push(list);
    response.end();
  });
  ends.push(() => server.close());
  const client = new ReviewClient({ server: `${server.url}/audit`, ca: server.ca });
  const webhook = new AuditWebhook({
    post: (body) => client.deliver(body, 5000),
    disconnect: () => client.close(),
    logger: silentLogger,
    batchMaxSize: 2,
    initialBackoffMs: 5,
  });
  for (let index = 0; index < 5; index++) webhook.write(JSON.stringify({ index }));
  await expect.poll(() => lists.length, { timeout: 20_000 }).toBe(2);
  await webhook.close();
  expect(lists.map(({ kind, items }) => [kind, items.length])).toEqual([
    ['EventList', 2],
    ['EventList', 2],
    ['EventList', 1],
  ]);
  expect(webhook.lost).toBe(0);
});

it('a webhook that is away loses what exceeds the buffer, and no more than it has to', async () => {
  const webhook = new AuditWebhook({
    post: () => Promise.reject(new Error('away')),
    disconnect: async () => undefined,
    logger: silentLogger,
  });
  for (let index = 0; index < 10_500; index++) webhook.write('{}');
  expect(webhook.lost).toBe(100);
  await webhook.close();
  expect(webhook.lost).toBe(10_500);
});

it('a log is rotated by size, and old files go', async () => {
  const path = join(directory, 'audit.log');
  const log = await AuditLog.open({
    path,
    maxAgeDays: 1,
    maxBackups: 2,
    maxSizeMB: 1,
    compress: true,
    logger: silentLogger,
  });
  writeFileSync(join(directory, 'audit-2020-01-01T00-00-00.000.log'), 'old');
  for (let index = 0; index < 4; index++) {
    log.write(JSON.stringify({ index, text: 'x'.repeat(700_000) }));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await log.close();
  const names = readdirSync(directory).sort();
  expect(names).toHaveLength(3);
  expect(names.join()).not.toContain('2020');
  expect(names.filter((name) => name.endsWith('.log.gz'))).toHaveLength(2);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ index: 3 });
});

it('shortens large events, and loses those that stay too large', async () => {
  const policy = {
    rules: [{ level: 'Request', verbs: ['create'], ...onlyConfigMaps }],
    omitStages: ['RequestReceived'],
  };
  const { api, events } = await audited(policy, {}, { truncateEnabled: true, truncateMaxEventSize: 2000 });
  const create = (name: string, size: number, query = {}) =>
    api.transport.request({
      method: 'POST',
      path: configMaps,
      query,
      body: { metadata: { name }, data: { x: 'x'.repeat(size) } },
    });
  await create('small', 10);
  await create('large', 5000);
  await create('endless', 10, { labelSelector: `x=${'x'.repeat(5000)}` });
  const { body } = await api.transport.request<string>({ method: 'GET', path: '/metrics' });
  expect(body).toMatch(/^apiserver_audit_error_total\{plugin="truncate"\} 1$/m);
  const [small, large, ...others] = await events();
  expect(others).toEqual([]);
  expect(small).toMatchObject({ requestObject: { metadata: { name: 'small' } }, responseStatus: { code: 201 } });
  expect(small!.annotations).not.toHaveProperty(['audit.k8s.io/truncated']);
  expect(large).toMatchObject({ objectRef: { name: 'large' }, annotations: { 'audit.k8s.io/truncated': 'true' } });
  expect(large).not.toHaveProperty('requestObject');
});

it('strict requests fail, and lenient ones wait, while the webhook is away', async () => {
  const seen: string[] = [];
  for (const waits of ['lenient', 'strict'] as const) {
    const webhook = new AuditWebhook({
      post: () => Promise.reject(new Error('away')),
      disconnect: async () => undefined,
      logger: silentLogger,
      initialBackoffMs: 1,
      waits,
    });
    const policy = readAuditPolicy({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      rules: [{ level: 'Metadata', ...onlyConfigMaps }],
    });
    const trail = new AuditRecorder({ policy, backends: [webhook], logger: silentLogger });
    const api = await startTestApiServer({ audit: trail });
    ends.push(() => api.stop());
    const asked = api.transport.request({ method: 'GET', path: configMaps });
    seen.push(
      await asked.then(
        ({ status }) => `${status}`,
        ({ code, message }) => `${code} ${message}`,
      ),
    );
    expect(webhook.lost).toBeGreaterThan(0);
    await webhook.close();
    const rejected = trail.families().find(({ name }) => name === 'apiserver_audit_requests_rejected_total')!;
    seen.push(JSON.stringify([...rejected.samples]));
  }
  expect(seen).toEqual([
    '200',
    '[{"labels":{},"value":0}]',
    '500 failed to store audit event',
    '[{"labels":{},"value":1}]',
  ]);
});

it('a full disk loses events and nothing else', async () => {
  const log = await AuditLog.open({
    path: '/dev/full',
    maxAgeDays: 0,
    maxBackups: 0,
    maxSizeMB: 0,
    logger: silentLogger,
  });
  log.write('{}');
  await log.close();
  expect(log.lost).toBe(1);
});

it('a bad policy is refused with file and field', async () => {
  const auditPolicyFile = policyFile({ rules: [{ level: 'Everything' }] });
  await expect(openAudit({ ...config, auditPolicyFile, auditLogPath: '-' }, silentLogger)).rejects.toMatchObject({
    code: 'AUDIT_CONFIG_INVALID',
    message: expect.stringMatching(/policy\.yaml can't be used: rules\[0\]\.level: Unsupported value/),
  });
});

it('a cluster audits what comes over HTTPS: its ID, where from, what admission says of it, and who is refused', async () => {
  const auditLogPath = join(directory, 'audit.log');
  const rules = [
    { level: 'Metadata', verbs: ['create'], namespaces: ['strict'], resources: [{ group: '', resources: ['pods'] }] },
    { level: 'Metadata', nonResourceURLs: ['/secret'] },
  ];
  const cluster = await Cluster.start({
    runtime: 'simulated',
    datastore: 'memory',
    apiPort: 0,
    disable: ['ingress', 'dashboard'],
    auditPolicyFile: policyFile({ rules, omitStages: ['RequestReceived'] }),
    auditLogPath,
  });
  let metrics: string;
  try {
    const { client } = cluster;
    const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels } };
    await client.request({ method: 'POST', path: '/api/v1/namespaces', body: namespace });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { hostNetwork: true, containers: [{ name: 'c', image: 'i' }] },
    };
    await client.request({ method: 'POST', path: '/api/v1/namespaces/strict/pods', body: pod }).catch(() => undefined);
    const { Agent, request } = await import('undici');
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
    const headers = { 'audit-id': 'mine', 'x-forwarded-for': '192.0.2.7', authorization: 'Bearer wrong' };
    const answer = await request(`${cluster.addresses.apiserver}/secret`, { dispatcher, headers });
    expect([answer.statusCode, answer.headers['audit-id']]).toEqual([401, 'mine']);
    await dispatcher.destroy();
    metrics = String((await client.request({ method: 'GET', path: '/metrics' })).body);
  } finally {
    await cluster.stop();
  }
  const events = readFileSync(auditLogPath, 'utf8').trim().split('\n');
  expect(events.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      objectRef: expect.objectContaining({ namespace: 'strict', name: 'p' }),
      responseStatus: expect.objectContaining({ code: 403 }),
      annotations: expect.objectContaining({ 'pod-security.kubernetes.io/enforce-policy': 'baseline:latest' }),
    }),
    expect.objectContaining({
      auditID: 'mine',
      user: {},
      sourceIPs: ['192.0.2.7', '127.0.0.1'],
      stage: 'ResponseStarted',
      responseStatus: expect.objectContaining({ code: 401 }),
    }),
  ]);
  expect(metrics).toMatch(/^apiserver_audit_event_total 2$/m);
});
