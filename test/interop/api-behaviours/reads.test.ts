import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { ApiClient, type Body } from './api-client.ts';

const namespace = 'reads';
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;

describe('lists and watches', () => {
  let embedded: EmbeddedCluster;
  let api: ApiClient;
  let revision: string;
  beforeAll(async () => {
    embedded = await startEmbedded();
    api = new ApiClient(embedded);
    await api.ok('/api/v1/namespaces', { method: 'POST', body: { metadata: { name: namespace } } });
    await eventually(() => api.ok(`${configMaps}/kube-root-ca.crt`));
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(name, { letter: name });
    revision = (await api.ok(configMaps)).metadata.resourceVersion;
  });
  afterAll(async () => {
    api.close();
    await embedded.stop();
  });
  const create = (name: string, labels: object = {}) =>
    api.ok(configMaps, { method: 'POST', body: { metadata: { name, labels }, data: { text: 'x'.repeat(100) } } });
  const names = (list: Body) => list.items?.map(({ metadata }) => metadata.name).filter((name) => name.length === 1);

  it.each([
    [
      'resourceVersionMatch=Exact',
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      'resourceVersion=1&resourceVersionMatch=Sometimes',
      422,
      'resourceVersionMatch: Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan"',
    ],
    [
      'resourceVersion=0&resourceVersionMatch=Exact',
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    ['resourceVersion=x', 400, 'invalid resource version'],
    ['limit=1&continue=nonsense', 400, 'continue key is not valid'],
    ['sendInitialEvents=true', 422, 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'],
    [
      'watch=1&sendInitialEvents=true',
      422,
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    [
      'watch=1&resourceVersion=1&resourceVersionMatch=NotOlderThan',
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
    ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ])('refuse %s', async (query, code, message) => {
    const answer = await api.send(`${configMaps}?${query}`);
    expect(answer.body.message).toContain(message);
    expect(answer.code).toBe(code);
  });

  it('read the moment that resourceVersion names', async () => {
    await create('f');
    const exact = await api.ok(`${configMaps}?resourceVersion=${revision}&resourceVersionMatch=Exact`);
    expect(exact.metadata.resourceVersion).toBe(revision);
    expect(names(exact)).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (const query of ['', '?resourceVersion=0', `?resourceVersion=${revision}&resourceVersionMatch=NotOlderThan`])
      expect(names(await api.ok(configMaps + query))).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    const future = await api.send(`${configMaps}?resourceVersion=999999999`);
    expect(future.code).toBe(504);
    expect(future.body).toMatchObject({
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    });
    await api.ok(`${configMaps}/f`, { method: 'DELETE' });
  });

  it('go on with their token at one moment, and count what is left', async () => {
    const first = await api.ok(`${configMaps}?limit=2`);
    expect(names(first)).toEqual(['a', 'b']);
    expect(first.metadata.remainingItemCount).toBe(4);
    await create('b2');
    const second = await api.ok(`${configMaps}?limit=2&continue=${first.metadata.continue}`);
    expect(names(second)).toEqual(['c', 'd']);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const third = await api.ok(`${configMaps}?continue=${second.metadata.continue}`);
    expect(names(third)).toEqual(['e']);
    expect(third.metadata.continue).toBeUndefined();
    const both = await api.send(`${configMaps}?continue=${first.metadata.continue}&resourceVersion=5`);
    expect(both.code).toBe(400);
    expect(both.body.message).toContain('specifying resource version is not allowed when using continue');
    const selected = await api.ok(`${configMaps}?limit=1&labelSelector=letter`);
    expect(selected.metadata.remainingItemCount).toBeUndefined();
  });

  it('compress what is large when asked', async () => {
    const big = { metadata: { name: 'big' }, data: { text: 'y'.repeat(200_000) } };
    await api.ok(configMaps, { method: 'POST', body: big });
    const plain = await api.send(configMaps);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const packed = await api.send(configMaps, { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.body.items).toHaveLength(plain.body.items!.length);
    await api.ok(`${configMaps}/big`, { method: 'DELETE' });
  });

  it('tell a selector who comes, stays and leaves', async () => {
    const { metadata } = await api.ok(configMaps);
    const by = (query: string) =>
      api.watch(`${configMaps}?watch=1&resourceVersion=${metadata.resourceVersion}&${query}`);
    const [labeled, named] = [await by('labelSelector=in%3Dyes'), await by('fieldSelector=metadata.name%3Dmoved')];
    const label = (value: string | null) =>
      api.patch(`${configMaps}/moved`, 'merge-patch+json', { metadata: { labels: { in: value } } });
    await create('moved');
    await label('yes');
    await api.patch(`${configMaps}/moved`, 'merge-patch+json', { data: { text: 'z' } });
    await label('no');
    await label('yes');
    await api.ok(`${configMaps}/moved`, { method: 'DELETE' });
    const types = (events: readonly { type: string }[]) => events.map(({ type }) => type);
    await eventually(() => expect(types(labeled.events)).toEqual(['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED']));
    await eventually(() => expect(types(named.events)).toEqual(['ADDED', ...Array(4).fill('MODIFIED'), 'DELETED']));
    // What leaves is shown as it was, at the revision of its leaving.
    expect(labeled.events[2]?.object.metadata.labels).toEqual({ in: 'yes' });
    labeled.stop();
    named.stop();
  });

  it('stream the initial list, mark its end, and then go on', async () => {
    const watch = await api.watch(
      `${configMaps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=letter`,
    );
    await eventually(() => expect(watch.events.at(-1)?.type).toBe('BOOKMARK'));
    expect(watch.events.map(({ object }) => object.metadata.name)).toEqual(['a', 'b', 'c', 'd', 'e', undefined]);
    const mark = watch.events.at(-1)!.object;
    expect(mark).toMatchObject({
      kind: 'ConfigMap',
      metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
    expect(Number(mark.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(revision));
    await api.patch(`${configMaps}/a`, 'merge-patch+json', { data: { text: '2' } });
    await eventually(() =>
      expect(watch.events.at(-1)).toMatchObject({ type: 'MODIFIED', object: { metadata: { name: 'a' } } }),
    );
    watch.stop();
  });

  it('watch metadata alone and tables, and end in time', async () => {
    const query = `${configMaps}?watch=1&resourceVersion=0&timeoutSeconds=1&labelSelector=letter%3Da`;
    const metadata = await api.watch(query, 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io');
    const table = await api.watch(query, 'application/json;as=Table;v=v1;g=meta.k8s.io');
    const started = performance.now();
    await Promise.all([metadata.ended, table.ended]);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(metadata.events).toMatchObject([
      { type: 'ADDED', object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } },
    ]);
    expect(metadata.events[0]?.object).not.toHaveProperty('data');
    expect(table.events).toMatchObject([
      { type: 'ADDED', object: { kind: 'Table', rows: [{ cells: ['a', 1, expect.anything()] }] } },
    ]);
  });
});
