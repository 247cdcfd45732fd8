import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeList, UnstructuredObject, WatchEvent } from '../apimachinery/meta.ts';
import type { ApiRequest } from '../apimachinery/transport.ts';
import { startTestApiServer, type TestApiServer } from './testing.ts';

let test: TestApiServer;
beforeAll(async () => {
  test = await startTestApiServer();
});
afterAll(() => test.stop());

type Fields = Record<string, never>;

async function send<T = UnstructuredObject & { data?: Fields; spec?: never; status?: never }>(
  method: ApiRequest['method'],
  path: string,
  body?: unknown,
  more: Partial<ApiRequest> = {},
): Promise<T> {
  return (await test.transport.request<T>({ method, path, body, ...more })).body;
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error: { status: { code: number; reason: string; message: string } }) => error.status,
  );

const configMaps = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});

describe('writes', () => {
  it('creates with system fields, refuses a second of the name, and generates names', async () => {
    const created = await send('POST', configMaps, configMap('a', { data: { k: 'v' } }));
    expect(created.metadata).toMatchObject({ name: 'a', namespace: 'default' });
    expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(created.metadata.resourceVersion)).toBeGreaterThan(0);
    expect(created.metadata.managedFields?.[0]).toMatchObject({ manager: 'test', operation: 'Update' });
    expect(await failure(send('POST', configMaps, configMap('a')))).toMatchObject({
      code: 409,
      message: 'configmaps "a" already exists',
    });
    const generated = await send('POST', configMaps, { metadata: { generateName: 'gen-' } });
    expect(generated.metadata.name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    const spec = { parentRef: { resource: 'services', name: 's', namespace: 'default' } };
    const address = { metadata: { generateName: '10.200.0.1' }, spec };
    expect((await send('POST', '/apis/networking.k8s.io/v1/ipaddresses', address)).metadata.name).toBe('10.200.0.1');
  });

  it('keeps exactly one of two racing updates and writes nothing for an update without changes', async () => {
    const created = await send('POST', configMaps, configMap('race', { data: { n: '0' } }));
    const outcomes = await Promise.allSettled(
      ['1', '2'].map((n) => send('PUT', `${configMaps}/race`, { ...created, data: { n } })),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const lost = outcomes.find((outcome) => outcome.status === 'rejected') as PromiseRejectedResult;
    expect(lost.reason.status).toMatchObject({
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "race": the object has been modified; please apply your changes to the latest version and try again',
    });
    const now = await send('GET', `${configMaps}/race`);
    const again = await send('PUT', `${configMaps}/race`, now);
    expect(again.metadata.resourceVersion).toBe(now.metadata.resourceVersion);
  });

  it('patches concurrently without losing any', async () => {
    await send('POST', configMaps, configMap('many', { data: {} }));
    const patch = (i: number) =>
      send(
        'PATCH',
        `${configMaps}/many`,
        { data: { [`k${i}`]: 'v' } },
        { contentType: 'application/merge-patch+json' },
      );
    await Promise.all(Array.from({ length: 20 }, (_, i) => patch(i)));
    expect(Object.keys((await send('GET', `${configMaps}/many`)).data ?? {})).toHaveLength(20);
  });

  it('applies, names conflicts by manager and field, and forces', async () => {
    const apply = (manager: string, data: object, force?: boolean) =>
      send('PATCH', `${configMaps}/applied`, configMap('applied', { data }), {
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: manager, ...(force ? { force: true } : {}) },
      });
    await apply('one', { k: '1' });
    const refused = await failure(apply('two', { k: '2' }));
    expect(refused).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(refused.message).toContain('conflict with "one": .data.k');
    expect((await apply('two', { k: '2' }, true)).data).toEqual({ k: '2' });
  });

  it('warns of unknown fields, or refuses them when asked to be strict', async () => {
    const body = configMap('odd', { dta: {} });
    expect(await failure(send('POST', configMaps, body, { query: { fieldValidation: 'Strict' } }))).toMatchObject({
      code: 400,
      message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta"',
    });
    const { body: created, warnings } = await test.transport.request({ method: 'POST', path: configMaps, body });
    expect(warnings).toEqual(['unknown field "dta"']);
    expect(created).not.toHaveProperty('dta');
  });

  it('leaves nothing behind after a dry run', async () => {
    const created = await send('POST', configMaps, configMap('dry'), { query: { dryRun: 'All' } });
    expect(created.metadata.uid).toBeTruthy();
    expect(await failure(send('GET', `${configMaps}/dry`))).toMatchObject({
      code: 404,
      message: 'configmaps "dry" not found',
    });
  });
});

describe('deletion', () => {
  it('waits for the last finalizer and takes no new ones meanwhile', async () => {
    await send('POST', configMaps, {
      ...configMap('held'),
      metadata: { name: 'held', finalizers: ['x.io/a', 'x.io/b'] },
    });
    const marked = await send('DELETE', `${configMaps}/held`);
    expect(marked.metadata.deletionTimestamp).toBeTruthy();
    const set = (finalizers: string[]) =>
      send(
        'PATCH',
        `${configMaps}/held`,
        { metadata: { finalizers } },
        { contentType: 'application/merge-patch+json' },
      );
    expect((await failure(set(['x.io/a', 'x.io/b', 'x.io/c']))).code).toBe(422);
    await set(['x.io/b']);
    await set([]);
    expect((await failure(send('GET', `${configMaps}/held`))).code).toBe(404);
  });

  it('gives a running pod its grace period and an unscheduled one none', async () => {
    const pods = '/api/v1/namespaces/default/pods';
    const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    await send('POST', pods, pod('new'));
    await send('DELETE', `${pods}/new`);
    expect((await failure(send('GET', `${pods}/new`))).code).toBe(404);

    await send('POST', pods, pod('bound'));
    await send('POST', `${pods}/bound/binding`, { metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n1' } });
    expect(
      await failure(send('POST', `${pods}/bound/binding`, { metadata: { name: 'bound' }, target: { name: 'n2' } })),
    ).toMatchObject({
      code: 409,
      message: 'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
    });
    const leaving = await send('DELETE', `${pods}/bound`);
    expect(leaving.metadata.deletionGracePeriodSeconds).toBe(30);
    await send('DELETE', `${pods}/bound`, { gracePeriodSeconds: 0 });
    expect((await failure(send('GET', `${pods}/bound`))).code).toBe(404);
  });

  it('refuses when the uid is another one, and leaves the propagation to the garbage collector', async () => {
    await send('POST', configMaps, configMap('other'));
    expect(await failure(send('DELETE', `${configMaps}/other`, { preconditions: { uid: 'x' } }))).toMatchObject({
      code: 409,
    });
    const marked = await send('DELETE', `${configMaps}/other`, { propagationPolicy: 'Foreground' });
    expect(marked.metadata.finalizers).toEqual(['foregroundDeletion']);
  });

  it('leaves the pods of jobs alone unless told otherwise', async () => {
    const jobs = '/apis/batch/v1/namespaces/default/jobs';
    const container = { name: 'c', image: 'i' };
    const template = { spec: { restartPolicy: 'Never', containers: [container] } };
    await send('POST', jobs, { metadata: { name: 'quiet' }, spec: { template } });
    await send('POST', jobs, { metadata: { name: 'loud' }, spec: { template } });
    const remove = (name: string, body?: object) =>
      test.transport.request<UnstructuredObject>({
        method: 'DELETE',
        path: `${jobs}/${name}`,
        ...(body ? { body } : {}),
      });
    const quiet = await remove('quiet', { propagationPolicy: 'Orphan' });
    expect([quiet.body.metadata.finalizers, quiet.warnings]).toEqual([['orphan'], []]);
    const loud = await remove('loud');
    expect(loud.body.metadata.finalizers).toEqual(['orphan']);
    expect(loud.warnings).toEqual([expect.stringMatching(/^child pods are preserved by default/)]);
  });

  it('answers with the object for some kinds, with a status for the others', async () => {
    const classes = '/apis/storage.k8s.io/v1/storageclasses';
    await send('POST', classes, { metadata: { name: 'gone' }, provisioner: 'example.com/disk' });
    expect(await send('DELETE', `${classes}/gone`)).toMatchObject({ kind: 'StorageClass', metadata: { name: 'gone' } });
    await send('POST', configMaps, configMap('gone'));
    expect(await send('DELETE', `${configMaps}/gone`)).toMatchObject({ kind: 'Status', status: 'Success' });
  });

  it('empties a namespace before it goes', async () => {
    await send('POST', '/api/v1/namespaces', { metadata: { name: 'doomed' } });
    const marked = await send('DELETE', '/api/v1/namespaces/doomed');
    expect(marked).toMatchObject({ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Terminating' } });
    await send('PUT', '/api/v1/namespaces/doomed/finalize', { ...marked, spec: { finalizers: [] } });
    expect((await failure(send('GET', '/api/v1/namespaces/doomed'))).code).toBe(404);
  });
});

describe('lists', () => {
  const path = '/api/v1/namespaces/pages/configmaps';
  beforeAll(async () => {
    for (let i = 0; i < 25; i++)
      await send('POST', path, {
        metadata: { name: `c${String(i).padStart(2, '0')}`, labels: { odd: String(i % 2) } },
      });
  });
  const list = (query: ApiRequest['query']) => send<KubeList>('GET', path, undefined, { query });
  const names = (page: KubeList) => page.items.map(({ metadata }) => metadata.name);

  it('pages through one moment, whatever is written meanwhile', async () => {
    const first = await list({ limit: 10 });
    expect(first.metadata.remainingItemCount).toBe(15);
    await send('DELETE', `${path}/c12`);
    await send('POST', path, { metadata: { name: 'c10a' } });
    const second = await list({ limit: 10, continue: first.metadata.continue });
    const third = await list({ limit: 10, continue: second.metadata.continue });
    const all = [first, second, third].flatMap(names);
    expect(all).toEqual(Array.from({ length: 25 }, (_, i) => `c${String(i).padStart(2, '0')}`));
    expect(third.metadata.continue).toBeUndefined();
    expect(new Set([first, second, third].map(({ metadata }) => metadata.resourceVersion)).size).toBe(1);
  });

  it('selects by label and by name', async () => {
    expect(names(await list({ labelSelector: 'odd=1', limit: 3 }))).toEqual(['c01', 'c03', 'c05']);
    expect(names(await list({ fieldSelector: 'metadata.name=c04' }))).toEqual(['c04']);
    const refusal = async (of: string, field: string) =>
      (await failure(send('GET', of, undefined, { query: { fieldSelector: `${field}=y` } }))).message;
    expect(await refusal(path, 'spec.x')).toBe(
      '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    );
    expect(await refusal('/api/v1/nodes', 'metadata.namespace')).toBe('field label not supported: metadata.namespace');
    expect(await refusal('/apis/batch/v1/jobs', 'a')).toBe('field label "a" not supported for Job');
  });

  it('reads the past exactly', async () => {
    const before = await list({});
    await send('POST', path, { metadata: { name: 'later' } });
    const exact = await list({ resourceVersion: before.metadata.resourceVersion, resourceVersionMatch: 'Exact' });
    expect(names(exact)).toEqual(names(before));
    expect(names(await list({}))).toContain('later');
  });
});

describe('watches', () => {
  function watch(path: string, query: ApiRequest['query'] = {}) {
    const events: WatchEvent[] = [];
    const stream = test.transport.watch({ method: 'GET', path, query }, (batch) => events.push(...batch));
    const until = async (count: number) => {
      for (let i = 0; events.length < count && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 5));
      return events.map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`.trim());
    };
    return { events, stream, until };
  }
  const path = '/api/v1/namespaces/seen/configmaps';
  const label = (name: string, value: string) =>
    send(
      'PATCH',
      `${path}/${name}`,
      { metadata: { labels: { l: value } } },
      { contentType: 'application/merge-patch+json' },
    );

  it('tells of objects that come to a selector, change in it and leave it', async () => {
    const { stream, until, events } = watch(path, { labelSelector: 'l=in' });
    await send('POST', path, { metadata: { name: 'w' } });
    await label('w', 'in');
    await send('PATCH', `${path}/w`, { data: { k: 'v' } }, { contentType: 'application/merge-patch+json' });
    await label('w', 'out');
    expect(await until(3)).toEqual(['ADDED w', 'MODIFIED w', 'DELETED w']);
    expect(events[2]!.object.metadata.labels).toEqual({ l: 'in' });
    stream.stop();
    await stream.done;
  });

  it('resumes after a revision without loss or repetition, and says when that is too old', async () => {
    const created = await send('POST', path, { metadata: { name: 'r1' } });
    await send('POST', path, { metadata: { name: 'r2' } });
    await send('DELETE', `${path}/r1`);
    const { stream, until } = watch(path, { resourceVersion: created.metadata.resourceVersion });
    expect(await until(2)).toEqual(['ADDED r2', 'DELETED r1']);
    stream.stop();
  });

  it('streams the initial list and marks its end', async () => {
    const { stream, until, events } = watch(path, {
      sendInitialEvents: true,
      allowWatchBookmarks: true,
      resourceVersionMatch: 'NotOlderThan',
    });
    const seen = await until(3);
    expect(seen.at(-1)).toBe('BOOKMARK');
    expect(events.at(-1)!.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    stream.stop();
  });
});

describe('services', () => {
  const path = '/api/v1/namespaces/default/services';
  const service = (name: string, spec: object) => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });

  it('gives out addresses and node ports, keeps them, and takes them back', async () => {
    const created = await send<{ spec: { clusterIP: string; ports: { nodePort: number }[] } }>(
      'POST',
      path,
      service('one', { type: 'NodePort' }),
    );
    const { clusterIP, ports } = created.spec;
    expect(clusterIP).toMatch(/^10\.96\./);
    const { nodePort } = ports[0]!;
    expect(nodePort).toBeGreaterThanOrEqual(30_000);
    expect(await failure(send('POST', path, service('two', { clusterIP })))).toMatchObject({
      code: 422,
      message: `Service "two" is invalid: spec.clusterIPs: Invalid value: ["${clusterIP}"]: failed to allocate IP ${clusterIP}: provided IP is already allocated`,
    });
    await send('DELETE', `${path}/one`);
    const again = await send<{ spec: { clusterIP: string } }>(
      'POST',
      path,
      service('two', { clusterIP, type: 'NodePort', ports: [{ port: 80, nodePort }] }),
    );
    expect(again.spec.clusterIP).toBe(clusterIP);
  });

  it('has the kubernetes service at the first address', async () => {
    expect(await send('GET', `${path}/kubernetes`)).toMatchObject({ spec: { clusterIP: '10.96.0.1' } });
  });
});

describe('scale and eviction', () => {
  it('scales by the subresource', async () => {
    const path = '/apis/apps/v1/namespaces/default/deployments';
    const labels = { app: 'x' };
    await send('POST', path, {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const scale = await send('GET', `${path}/d/scale`);
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 1 }, status: { selector: 'app=x' } });
    await send('PUT', `${path}/d/scale`, { ...scale, spec: { replicas: 4 } });
    expect(await send('GET', `${path}/d`)).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 4 } });
  });

  it('refuses an eviction that the budget does not allow', async () => {
    const pods = '/api/v1/namespaces/default/pods';
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    await send('POST', pods, {
      metadata: { name: 'e', labels: { e: '1' } },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    await send('PATCH', `${pods}/e/status`, { status: ready }, { contentType: 'application/merge-patch+json' });
    await send('POST', budgets, {
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { e: '1' } } },
    });
    const status = {
      observedGeneration: 1,
      disruptionsAllowed: 0,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
    };
    await send('PATCH', `${budgets}/b/status`, { status }, { contentType: 'application/merge-patch+json' });
    const evict = (more: object = {}) =>
      send('POST', `${pods}/e/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'e' },
        ...more,
      });
    expect(await failure(evict())).toMatchObject({
      code: 429,
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: { causes: [{ message: 'The disruption budget b needs 1 healthy pods and has 1 currently' }] },
    });
    await send(
      'PATCH',
      `${budgets}/b/status`,
      { status: { disruptionsAllowed: 1 } },
      { contentType: 'application/merge-patch+json' },
    );
    await evict({ deleteOptions: { dryRun: ['All'] } });
    expect(await send('GET', `${budgets}/b`)).toMatchObject({ status: { disruptionsAllowed: 1 } });
    await evict();
    expect(await send('GET', `${budgets}/b`)).toMatchObject({ status: { disruptionsAllowed: 0 } });
  });
});

it('answers unknown resources as Kubernetes does', async () => {
  expect(await failure(send('GET', '/apis/nope/v1/things'))).toMatchObject({
    code: 404,
    message: 'the server could not find the requested resource',
  });
});
