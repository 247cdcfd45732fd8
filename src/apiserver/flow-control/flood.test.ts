import { connect } from 'node:http2';
import { expect, it } from 'vitest';
import type { FlowSchema } from '../../api/types/flowcontrol.v1.gen.ts';
import { selfSignedCertificate } from '../../client/testing/self-signed.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { ApiServerOptions } from '../api-server-options.ts';
import type { Result } from '../request/result.ts';
import { startTestApiServer } from '../testing.ts';

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly ms: number;
}

/** A server that takes the bearer token for the user's name, and one HTTP/2 connection of each user. */
async function startServer(limits: object = {}, overrides: Partial<ApiServerOptions> = {}) {
  const tls = await selfSignedCertificate();
  const api = await startTestApiServer({
    listen: { host: '127.0.0.1', tls },
    limits,
    ...overrides,
    authentication: () => ({
      name: 'test',
      authenticate: ({ bearerToken = 'nobody' }) => ({ user: { name: bearerToken, groups: ['system:authenticated'] } }),
    }),
  });
  const sessionOf = (initialWindowSize?: number) =>
    connect(api.url, { ca: tls.cert, ...(initialWindowSize ? { settings: { initialWindowSize } } : {}) });
  const get = (session: ReturnType<typeof sessionOf>, user: string, path: string, read = true) => {
    const started = performance.now();
    const stream = session.request({ ':path': path, authorization: `Bearer ${user}` });
    const answer = new Promise<Answer>((resolve, reject) => {
      let headers: Record<string, unknown> = {};
      const body: Buffer[] = [];
      stream.on('response', (given) => {
        headers = given;
      });
      stream.on('error', read ? reject : () => undefined);
      if (!read) return;
      stream.on('data', (chunk: Buffer) => body.push(chunk));
      stream.on('end', () =>
        resolve({
          status: Number(headers[':status']),
          headers,
          body: Buffer.concat(body).toString(),
          ms: performance.now() - started,
        }),
      );
    });
    return { stream, answer };
  };
  return { api, sessionOf, get };
}

const configMaps = '/api/v1/namespaces/default/configmaps';

async function fill(api: Awaited<ReturnType<typeof startTestApiServer>>, count: number) {
  const data = { text: 'x'.repeat(4096) };
  for (let i = 0; i < count; i++)
    await api.transport.request({
      method: 'POST',
      path: configMaps,
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${i}` }, data },
    });
}

it('serves one user while another floods lists, and holds the seats of answers until they are read', async () => {
  const { api, sessionOf, get } = await startServer();
  await fill(api, 410);
  const [flood, quiet, slow] = [sessionOf(), sessionOf(), sessionOf(1024)];
  const one = () => get(quiet, 'quiet', `${configMaps}/c1`).answer;
  for (let i = 0; i < 20; i++) await one();
  const calm: number[] = [];
  for (let i = 0; i < 20; i++) calm.push((await one()).ms);

  const answers = Array.from({ length: 100 }, () => get(flood, 'flooder', configMaps).answer);
  let done = 0;
  for (const answer of answers) answer.then(() => done++);
  const flooded: Answer[] = [];
  for (let i = 0; i < 20; i++) flooded.push(await one());
  const doneThen = done;
  expect(flooded.map(({ status }) => status)).toEqual(new Array(20).fill(200));
  expect(doneThen).toBeLessThan(90);
  // Behind no more than the few lists that have seats: far from the whole flood.
  const worst = Math.max(...flooded.map(({ ms }) => ms));
  const floodMs = Math.max(...(await Promise.all(answers)).map(({ ms }) => ms));
  expect(worst).toBeLessThan(floodMs / 3);

  // 49 seats, lists of 8 seats each; clients that read nothing keep them.
  const stuck = Array.from({ length: 6 }, () => get(slow, 'slow', configMaps, false).stream);
  const metrics = async () => (await get(quiet, 'metrics', '/metrics').answer).body;
  const executing = /current_executing_requests\{priority_level="global-default",flow_schema="global-default"\} (\d+)/;
  await expect.poll(async () => Number(executing.exec(await metrics())?.[1])).toBeGreaterThanOrEqual(6);
  for (const stream of stuck) stream.close(8);
  await expect.poll(async () => Number(executing.exec(await metrics())?.[1])).toBeLessThanOrEqual(1);
  for (const session of [flood, quiet, slow]) session.destroy();
  await api.stop();
});

it('tells which objects sorted a request, bounds it by its timeout, and breaks off an answer nobody reads', async () => {
  const { api, sessionOf, get } = await startServer({ requestTimeoutMs: 400 });
  await fill(api, 200);
  const session = sessionOf();
  const { headers } = await get(session, 'a', configMaps).answer;
  const uid = async (path: string) =>
    (await api.transport.request<FlowSchema>({ method: 'GET', path: `/apis/flowcontrol.apiserver.k8s.io/v1/${path}` }))
      .body.metadata.uid;
  expect(headers['x-kubernetes-pf-flowschema-uid']).toBe(await uid('flowschemas/global-default'));
  expect(headers['x-kubernetes-pf-prioritylevel-uid']).toBe(await uid('prioritylevelconfigurations/global-default'));

  const bad = await get(session, 'a', `${configMaps}?timeout=soon`).answer;
  expect([bad.status, JSON.parse(bad.body).message]).toEqual([
    400,
    'invalid timeout specified in the request URL - time: invalid duration "soon"',
  ]);
  api.server.router.addPath('/slow', () => new Promise(() => {}));
  const late = await get(session, 'a', '/slow?timeout=50ms').answer;
  expect([late.status, JSON.parse(late.body)]).toMatchObject([
    504,
    { reason: 'Timeout', message: 'Timeout: request did not complete within the allotted timeout' },
  ]);
  expect(late.ms).toBeLessThan(390);

  const slow = sessionOf(1024);
  const { stream } = get(slow, 'a', configMaps, false);
  await new Promise((resolve) => stream.once('close', resolve));
  expect(stream.rstCode).not.toBe(0);
  for (const each of [session, slow]) each.destroy();
  await api.stop();
});

it('stores nothing for a client that was told of a timeout, and refuses what comes after its stop', async () => {
  let go = () => {};
  const slow: AdmissionStep = {
    name: 'Slow',
    handles: ({ resource, user }) => resource.resource === 'configmaps' && user.name === 'late',
    validate: () => new Promise<void>((resolve) => (go = resolve)),
  };
  const { api, sessionOf } = await startServer({}, { admission: () => () => [slow] });
  const session = sessionOf();
  const stream = session.request({
    ':method': 'POST',
    ':path': `${configMaps}?timeout=50ms`,
    authorization: 'Bearer late',
    'content-type': 'application/json',
  });
  stream.end(JSON.stringify({ metadata: { name: 'a' } }));
  const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
  expect(status).toBe(504);
  go();
  const body = { metadata: { name: 'a' } };
  expect((await api.transport.request({ method: 'POST', path: configMaps, body })).status).toBe(201);
  session.destroy();
  const { transport } = api;
  await api.stop();
  await expect(transport.request({ method: 'GET', path: configMaps })).rejects.toThrow('the API server has stopped');
  await expect(transport.watch({ method: 'GET', path: configMaps }, () => {}).done).rejects.toThrow('has stopped');
});

it('refuses in plain text, and shows who waits for whom', async () => {
  const { api, sessionOf, get } = await startServer({
    readOnlyInFlight: 1,
    mutatingInFlight: 1,
    requestTimeoutMs: 2000,
  });
  const session = sessionOf();
  let finish: (value: Result) => void = () => {};
  api.server.router.addPath('/slow', () => new Promise<Result>((resolve) => (finish = resolve)));
  const slow = get(session, 'slow', '/slow').answer;
  const level = 'global-default';
  const dump = async (name: string) => {
    const path = `/debug/api_priority_and_fairness/dump_${name}`;
    const { body } = await api.transport.request<string>({
      method: 'GET',
      path,
      ...(name === 'requests' ? { query: { includeRequestDetails: '1' } } : {}),
    });
    return String(body)
      .split('\n')
      .map((line) => line.split(/, */))
      .filter(([first]) => first === level || first === 'PriorityLevelName');
  };
  await expect.poll(() => dump('requests')).toHaveLength(2);
  const refused = get(session, 'refused', `${configMaps}/c0`).answer;
  await expect.poll(() => dump('requests')).toHaveLength(3);
  const [head, waits, works] = await dump('requests');
  expect(head!.slice(9)).toEqual([
    'StartTime',
    'UserName',
    'Verb',
    'APIPath',
    'Namespace',
    'Name',
    'APIVersion',
    'Resource',
    'SubResource',
  ]);
  expect(waits![3]).toBe('0');
  expect(waits!.slice(9)).toEqual([
    '0001-01-01T00:00:00Z',
    'refused',
    'get',
    `${configMaps}/c0`,
    'default',
    'c0',
    'v1',
    'configmaps',
    '',
  ]);
  expect(works!.slice(0, 5)).toEqual([level, level, '-1', '-1', 'slow']);
  const queue = (await dump('queues')).find(([, index]) => index === waits![2]);
  expect(queue).toEqual([level, waits![2], '1', '0', '0', '0.00000000ss', '1', '1', '0.00300000ss']);
  expect((await dump('priority_levels'))[1]).toEqual([level, '1', 'false', 'false', '1', '1', '1', '0', '0', '0']);

  const { status, headers, body } = await refused;
  expect([status, body]).toEqual([429, 'Too many requests, please try again later.\n']);
  expect(headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'retry-after': '1' });
  finish({ type: 'content', status: 200, contentType: 'text/plain', body: '' });
  await slow;
  const plain = await Promise.all(
    ['/nowhere', '/healthz/none', '/apis/none.example.com/v1/things'].map((path) => get(session, 'a', path).answer),
  );
  expect(plain.map(({ body }) => body)).toEqual(new Array(3).fill('404 page not found\n'));
  const { body: known } = await get(session, 'a', '/api/v1/things').answer;
  expect(JSON.parse(known)).toMatchObject({ kind: 'Status', code: 404, reason: 'NotFound' });
  session.destroy();
  await api.stop();
});

it('restores what it is configured by, and says which FlowSchemas have no level', async () => {
  const { server, transport, stop } = await startTestApiServer();
  const group = '/apis/flowcontrol.apiserver.k8s.io/v1';
  const dangling = (name: string) =>
    server.reader.get<FlowSchema>('flowschemas', name)?.status?.conditions?.find(({ type }) => type === 'Dangling');
  expect(dangling('exempt')).toMatchObject({
    status: 'False',
    reason: 'Found',
    message: 'This FlowSchema references the PriorityLevelConfiguration object named "exempt" and it exists',
  });
  await transport.request({
    method: 'POST',
    path: `${group}/flowschemas`,
    body: { metadata: { name: 'mine' }, spec: { priorityLevelConfiguration: { name: 'gone' }, rules: [] } },
  });
  await expect.poll(() => dangling('mine')).toMatchObject({ status: 'True', reason: 'NotFound' });
  const uid = server.reader.get<FlowSchema>('flowschemas', 'catch-all')?.metadata.uid;
  await transport.request({ method: 'DELETE', path: `${group}/flowschemas/catch-all` });
  await expect
    .poll(() => server.reader.get<FlowSchema>('flowschemas', 'catch-all')?.metadata.uid)
    .not.toSatisfy((now) => now === undefined || now === uid);
  await transport.request({
    method: 'PATCH',
    path: `${group}/prioritylevelconfigurations/global-default`,
    contentType: 'application/merge-patch+json',
    body: { spec: { limited: { lendablePercent: 10 } } },
  });
  await expect
    .poll(
      () =>
        server.reader.get<{ spec: { limited: { lendablePercent: number } } }>(
          'prioritylevelconfigurations',
          'global-default',
        )?.spec.limited.lendablePercent,
    )
    .toBe(50);
  await stop();
});
