import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WatchEvent } from '../../apimachinery/meta.ts';
import type { StatusError } from '../../apimachinery/status-error.ts';
import type { ApiRequest, WatchStream } from '../../apimachinery/transport.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';
import { type ConversionWebhook, startConversionWebhook } from './testing/conversion-webhook.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of kinds that are made here
type Loose = any;

const GROUP = 'converted.example.com';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const pathOf = (version: string) => `/apis/${GROUP}/${version}/namespaces/default/lamps`;

/** v1 has `spec.watts`, v2 the same as `spec.power`; v2 has a label more. Of the metadata it changes what it may not. */
function convert({ desiredAPIVersion, objects }: Loose): Loose {
  const toV2 = desiredAPIVersion.endsWith('/v2');
  const convertedObjects = objects.map(({ metadata, spec }: Loose) => {
    const count = spec.watts ?? spec.power;
    const { bright: _, ...labels } = metadata.labels ?? {};
    return {
      apiVersion: desiredAPIVersion,
      kind: 'Lamp',
      metadata: {
        ...metadata,
        creationTimestamp: '2001-01-01T00:00:00Z',
        labels: toV2 ? { ...labels, bright: count > 50 ? 'yes' : 'no' } : labels,
      },
      spec: toV2 ? { power: count } : { watts: count },
    };
  });
  return { result: { status: 'Success' }, convertedObjects };
}

const version = (name: string, field: string) => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { [field]: { type: 'integer' } } } },
    },
  },
  selectableFields: [{ jsonPath: `.spec.${field}` }],
});

let api: TestApiServer;
let webhook: ConversionWebhook;
const open: WatchStream[] = [];

const request = async (method: ApiRequest['method'], path: string, more: Partial<ApiRequest> = {}): Promise<Loose> =>
  (await api.transport.request({ method, path, ...more })).body;
const create = (name: string, watts: number) =>
  request('POST', pathOf('v1'), {
    body: { apiVersion: `${GROUP}/v1`, kind: 'Lamp', metadata: { name }, spec: { watts } },
  });
const setWatts = (name: string, watts: number) =>
  request('PATCH', `${pathOf('v1')}/${name}`, {
    body: { spec: { watts } },
    contentType: 'application/merge-patch+json',
  });

/** What a watch of v2 tells, as `TYPE name power`; `next` resolves with so many more of it. */
function watch(query: NonNullable<ApiRequest['query']>) {
  const told: string[] = [];
  const events: Loose[] = [];
  let changed = () => {};
  const stream = api.transport.watch({ method: 'GET', path: pathOf('v2'), query }, (batch) => {
    for (const event of batch as readonly WatchEvent<Loose>[]) {
      events.push(event.object);
      const { metadata, spec } = event.object;
      told.push(event.type === 'BOOKMARK' ? 'BOOKMARK' : `${event.type} ${metadata.name} ${spec.power}`);
    }
    changed();
  });
  stream.done.catch(() => {});
  open.push(stream);
  return {
    events,
    done: stream.done,
    async next(count: number): Promise<string[]> {
      while (told.length < count)
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      return told.splice(0, count);
    },
  };
}

beforeAll(async () => {
  api = await startTestApiServer();
  webhook = await startConversionWebhook(convert);
  await request('POST', CRDS, {
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `lamps.${GROUP}` },
      spec: {
        group: GROUP,
        scope: 'Namespaced',
        names: { plural: 'lamps', kind: 'Lamp' },
        versions: [version('v1', 'watts'), version('v2', 'power')],
        conversion: {
          strategy: 'Webhook',
          webhook: { conversionReviewVersions: ['v1'], clientConfig: webhook.clientConfig },
        },
      },
    },
  });
  for (let left = 400; left > 0; left--) {
    if (await request('GET', pathOf('v1')).catch(() => undefined)) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (const [name, watts] of [
    ['a', 10],
    ['b', 60],
    ['c', 70],
  ] as const)
    await create(name, watts);
});
afterAll(async () => {
  for (const stream of open) stream.stop();
  await api.stop();
  await webhook.stop();
});
beforeEach(() => {
  webhook.requests.length = 0;
});

describe('reads through a conversion webhook', () => {
  it('convert a list in one request, once, and keep the metadata but for labels and annotations', async () => {
    const before = await request('GET', pathOf('v1'));
    const list = await request('GET', pathOf('v2'));
    expect(list.items.map((item: Loose) => [item.apiVersion, item.spec.power, item.metadata.labels.bright])).toEqual([
      [`${GROUP}/v2`, 10, 'no'],
      [`${GROUP}/v2`, 60, 'yes'],
      [`${GROUP}/v2`, 70, 'yes'],
    ]);
    expect(list.items[0].metadata.creationTimestamp).toBe(before.items[0].metadata.creationTimestamp);
    expect(webhook.requests).toEqual([
      { uid: expect.stringMatching(/^[0-9a-f-]{36}$/), desiredAPIVersion: `${GROUP}/v2`, objects: before.items },
    ]);
    await request('GET', pathOf('v2'));
    await request('GET', `${pathOf('v2')}/a`);
    expect(webhook.requests).toHaveLength(1);
  });

  it('select by the fields and labels of the version that is asked for, as of now and as of then', async () => {
    const names = async (query: NonNullable<ApiRequest['query']>, ofVersion = 'v2') =>
      (await request('GET', pathOf(ofVersion), { query })).items.map(({ metadata }: Loose) => metadata.name);
    expect(await names({ fieldSelector: 'spec.power=60' })).toEqual(['b']);
    expect(await names({ labelSelector: 'bright=yes' })).toEqual(['b', 'c']);
    expect(await names({ labelSelector: 'bright=yes' }, 'v1')).toEqual([]);
    const then = (await request('GET', pathOf('v1'))).metadata.resourceVersion;
    await setWatts('a', 90);
    await setWatts('c', 20);
    const exact = { resourceVersion: then, resourceVersionMatch: 'Exact' };
    expect(await names({ ...exact, labelSelector: 'bright=yes' })).toEqual(['b', 'c']);
    expect(await names({ labelSelector: 'bright=yes' })).toEqual(['a', 'b']);
    const old = await request('GET', pathOf('v2'), { query: exact });
    expect(old.items.map(({ spec }: Loose) => spec.power)).toEqual([10, 60, 70]);
  });

  it('tell of changes, and of objects that come to be selected or no longer are', async () => {
    const { resourceVersion } = (await request('GET', pathOf('v2'))).metadata;
    const all = watch({ resourceVersion });
    const bright = watch({ resourceVersion, labelSelector: 'bright=yes' });
    const hundred = watch({ resourceVersion, fieldSelector: 'spec.power=100' });
    await create('d', 5);
    await setWatts('d', 100);
    await setWatts('d', 101);
    await setWatts('d', 7);
    await request('DELETE', `${pathOf('v2')}/d`);
    const deleted = await all.next(5);
    expect(deleted).toEqual(['ADDED d 5', 'MODIFIED d 100', 'MODIFIED d 101', 'MODIFIED d 7', 'DELETED d 7']);
    expect(await bright.next(3)).toEqual(['ADDED d 100', 'MODIFIED d 101', 'DELETED d 101']);
    expect(await hundred.next(2)).toEqual(['ADDED d 100', 'DELETED d 100']);
    expect(bright.events[2].metadata.resourceVersion).toBe(all.events[3].metadata.resourceVersion);
  });

  it('stream a list, its end marked', async () => {
    const query = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true };
    const streamed = watch(query);
    expect(await streamed.next(4)).toEqual(['ADDED a 90', 'ADDED b 60', 'ADDED c 20', 'BOOKMARK']);
    expect(streamed.events[3]).toMatchObject({
      apiVersion: `${GROUP}/v2`,
      kind: 'Lamp',
      metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
    expect(await watch({ ...query, labelSelector: 'bright=no' }).next(2)).toEqual(['ADDED c 20', 'BOOKMARK']);
  });

  it('fail when the webhook is gone: the stored version alone is served, and a watch ends with an error', async () => {
    const failed = (run: Promise<unknown>): Promise<StatusError> =>
      run.then(
        () => {
          throw new Error('it should have failed');
        },
        (error) => error,
      );
    const { resourceVersion } = (await request('GET', pathOf('v2'))).metadata;
    const watching = watch({ resourceVersion });
    await create('e', 1);
    expect(await watching.next(1)).toEqual(['ADDED e 1']);
    await webhook.stop();
    await setWatts('e', 2);
    const why = new RegExp(
      `^conversion webhook for ${GROUP}/v1, Kind=Lamp failed: Post "https://127.0.0.1:\\d+/convert\\?timeout=30s": dial tcp 127.0.0.1:\\d+: connect: connection refused$`,
    );
    const streaming = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true };
    for (const run of [
      () => watching.done,
      () => request('GET', pathOf('v2')),
      () => request('GET', `${pathOf('v2')}/e`),
      () => watch(streaming).done,
    ]) {
      const { code, message, status } = await failed(run());
      expect({ code, message, reason: status.reason }).toEqual({
        code: 500,
        message: expect.stringMatching(why),
        reason: undefined,
      });
    }
    expect((await request('GET', pathOf('v1'))).items).toHaveLength(4);
    await request('DELETE', `${pathOf('v1')}/e`);
  });
});
