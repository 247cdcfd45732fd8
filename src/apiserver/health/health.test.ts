import { connect } from 'node:http2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../client/testing/self-signed.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';

let api: TestApiServer;
let session: ReturnType<typeof connect>;
beforeAll(async () => {
  const tls = await selfSignedCertificate();
  api = await startTestApiServer({ listen: { host: '127.0.0.1', tls } });
  session = connect(api.url, { ca: tls.cert });
});
afterAll(async () => {
  session.destroy();
  await api.stop();
});

function send(path: string, method = 'GET', body?: string): Promise<{ status: number; body: string; type: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ':method': method, 'content-type': 'application/json' });
    let status = 0;
    let type = '';
    let text = '';
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
      type = String(headers['content-type']);
    });
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    stream.on('end', () => resolve({ status, body: text, type })).on('error', reject);
    stream.end(body);
  });
}

it('tells check by check what holds', async () => {
  const ready = await send('/readyz?verbose');
  expect(ready.status).toBe(200);
  const lines = ready.body.split('\n');
  for (const name of ['ping', 'etcd', 'etcd-readiness', 'informer-sync', 'shutdown'])
    expect(lines).toContain(`[+]${name} ok`);
  expect(lines).toContain('[+]poststarthook/priority-and-fairness-config-producer ok');
  expect(lines.slice(-2)).toEqual(['readyz check passed', '']);
  expect((await send('/livez')).body).toBe('ok');
  expect((await send('/livez?verbose')).body).not.toContain('shutdown');

  const remove = api.server.health.add('disk', () => {
    throw new Error('it is full');
  });
  const failed = await send('/healthz');
  expect(failed).toMatchObject({ status: 500, type: 'text/plain; charset=utf-8' });
  expect(failed.body).toMatch(/^\[-\]disk failed: reason withheld$/m);
  expect(failed.body).toMatch(/\nhealthz check failed\n$/);
  expect(await send('/healthz/disk')).toMatchObject({ status: 500, body: 'internal server error: it is full\n' });
  expect(await send('/healthz?verbose&exclude=disk&exclude=zeal&exclude=ale')).toMatchObject({
    status: 200,
    body: expect.stringMatching(
      /\[\+\]disk excluded: ok\n(.*\n)*warn: some health checks cannot be excluded: no matches for "ale","zeal"\nhealthz check passed\n$/,
    ),
  });
  remove();
  expect((await send('/healthz/ping')).body).toBe('ok');
});

it('counts requests with the names that Kubernetes gives its metrics', async () => {
  const configMaps = '/api/v1/namespaces/default/configmaps';
  const body = JSON.stringify({ metadata: { name: 'a' }, data: { text: 'x'.repeat(5000) } });
  await send(configMaps, 'POST', body);
  await send(`${configMaps}?dryRun=All`, 'POST', body.replace('"a"', '"b"'));
  await send(configMaps);
  await send(`${configMaps}/none`);
  await send('/api/v1/namespaces/default/endpoints');
  const watch = session.request({ ':path': `${configMaps}?watch=true` });
  await new Promise((resolve) => watch.once('data', resolve));

  const { body: text, type } = await send('/metrics');
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  const value = (name: string, labels: Record<string, string>) => {
    const wanted = Object.entries(labels).map(([label, is]) => `${label}="${is}"`);
    const line = text
      .split('\n')
      .find((candidate) => candidate.startsWith(`${name}{`) && wanted.every((pair) => candidate.includes(pair)));
    return line && Number(line.slice(line.lastIndexOf(' ')));
  };
  const common = { group: '', version: 'v1', resource: 'configmaps', component: 'apiserver' };
  const requests = 'apiserver_request_total';
  expect(value(requests, { ...common, verb: 'POST', scope: 'resource', code: '201', dry_run: '' })).toBe(1);
  expect(value(requests, { ...common, verb: 'POST', scope: 'resource', code: '201', dry_run: 'All' })).toBe(1);
  expect(value(requests, { ...common, verb: 'LIST', scope: 'namespace', code: '200' })).toBe(1);
  expect(value(requests, { ...common, verb: 'GET', scope: 'resource', code: '404' })).toBe(1);
  const list = { ...common, verb: 'LIST', scope: 'namespace' };
  expect(value('apiserver_request_duration_seconds_count', list)).toBe(1);
  expect(value('apiserver_response_sizes_bucket', { ...list, le: '1000' })).toBe(0);
  expect(value('apiserver_response_sizes_bucket', { ...list, le: '10000' })).toBe(1);
  expect(value('apiserver_longrunning_requests', { ...common, verb: 'WATCH' })).toBe(1);
  expect(value('apiserver_watch_events_total', { group: '', version: 'v1', resource: 'configmaps' })).toBe(1);
  expect(value('apiserver_current_inflight_requests', { request_kind: 'readOnly' })).toBe(1);
  expect(value('apiserver_storage_objects', { resource: 'configmaps' })).toBe(1);
  expect(value('kubernetes_build_info', { major: '1', minor: '36', git_version: 'v1.36.0' })).toBe(1);
  const exempt = { priority_level: 'exempt', flow_schema: 'exempt' };
  expect(value('apiserver_flowcontrol_dispatched_requests_total', exempt)).toBeGreaterThan(3);
  expect(value('apiserver_flowcontrol_nominal_limit_seats', { priority_level: 'global-default' })).toBe(49);
  expect(value('apiserver_flowcontrol_upper_limit_seats', { priority_level: 'global-default' })).toBe(649);
  expect(value('apiserver_flowcontrol_request_execution_seconds_count', { ...exempt, type: 'watch' })).toBe(1);
  expect(value('authentication_attempts', { result: 'success' })).toBeGreaterThan(5);
  expect(value('authenticated_user_requests', { username: 'other' })).toBeGreaterThan(5);
  expect(value('authorization_attempts_total', { result: 'allowed' })).toBeGreaterThan(5);
  const admitted = { operation: 'CREATE', rejected: 'false', type: 'admit' };
  expect(value('apiserver_admission_step_admission_duration_seconds_count', admitted)).toBeGreaterThan(1);
  expect(value('kubernetes_healthchecks_total', { name: 'etcd', type: 'readyz', status: 'success' })).toBe(1);
  expect(value('kubernetes_healthcheck', { name: 'ping', type: 'livez' })).toBe(1);
  expect(value('etcd_requests_total', { operation: 'create', type: 'configmaps' })).toBe(1);
  expect(value('apiserver_requested_deprecated_apis', { resource: 'endpoints', removed_release: '' })).toBe(1);
  expect(value('apiserver_flowcontrol_work_estimated_seats_count', exempt)).toBeGreaterThan(3);
  expect(text).toMatch(/^process_cpu_seconds_total /m);
  watch.close(8);
  await expect
    .poll(
      async () => (await send('/metrics')).body.match(/^apiserver_longrunning_requests\{.*configmaps.* (\d)$/m)?.[1],
    )
    .toBe('0');
});
