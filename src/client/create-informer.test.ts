import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { StatusError } from '../apimachinery/status-error.ts';
import { createClient } from './create-client.ts';
import { createInformer } from './create-informer.ts';
import { createInformerFactory } from './informer-factory.ts';
import { ConfigMaps, Nodes } from './resource-types.gen.ts';
import { createFakeTransport } from './testing/fake-transport.ts';

const configMap = (name: string, data: Record<string, string> = {}, namespace = 'default') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function setUp(options: { silenceMs?: number } = {}) {
  const api = createFakeTransport();
  const client = createClient(api);
  const informer = createInformer(client, ConfigMaps, { logger: silentLogger, ...options });
  const seen: string[] = [];
  informer.addHandler({
    onAdd: (object, initial) => seen.push(`add ${object.metadata.name}${initial ? ' initial' : ''}`),
    onUpdate: (object) => seen.push(`update ${object.metadata.name}`),
    onDelete: (object) => seen.push(`delete ${object.metadata.name}`),
  });
  stops.push(() => informer.stop());
  return { api, client, informer, seen };
}

async function eventually(check: () => boolean, timeoutMs = 3_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!check()) {
    if (performance.now() > end) throw new Error(`did not happen: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('informer', () => {
  it('lists, then follows changes, with indexes kept', async () => {
    const { api, client, informer, seen } = setUp();
    api.put(configMap('a', { color: 'red' }));
    informer.addIndex('color', (object) => [object.data?.color ?? '']);
    informer.start();
    await informer.whenSynced();
    expect(seen).toEqual(['add a initial']);
    const b = await client.for(ConfigMaps).create(configMap('b', { color: 'red' }));
    await client.for(ConfigMaps).update({ ...b, data: { color: 'blue' } });
    await client.for(ConfigMaps).delete({ namespace: 'default', name: 'a' });
    await eventually(() => seen.length === 4);
    expect(seen.slice(1)).toEqual(['add b', 'update b', 'delete a']);
    expect(informer.byIndex('color', 'red')).toEqual([]);
    expect(informer.byIndex('color', 'blue').map((object) => object.metadata.name)).toEqual(['b']);
    expect(informer.list('default')).toHaveLength(1);
  });

  it('resumes where it was after a lost connection, without a new list', async () => {
    const { api, informer, seen } = setUp();
    informer.start();
    await informer.whenSynced();
    await eventually(() => api.requests.some(({ query }) => query?.watch === true));
    api.dropWatches();
    api.put(configMap('missed'));
    await eventually(() => seen.includes('add missed'));
    expect(api.requests.filter(({ query }) => query?.watch !== true)).toHaveLength(1);
  });

  it('lists again after 410 and tells what vanished meanwhile', async () => {
    const { api, informer, seen } = setUp();
    api.put(configMap('gone'));
    api.put(configMap('kept'));
    informer.start();
    await informer.whenSynced();
    await eventually(() => api.requests.some(({ query }) => query?.watch === true));
    api.dropWatches();
    api.remove(ConfigMaps, 'gone', 'default');
    api.put(configMap('new'));
    api.compact();
    await eventually(() => seen.includes('add new'));
    expect(seen).toContain('delete gone');
    expect(seen.filter((line) => line.includes('kept'))).toEqual(['add kept initial']);
  });

  it('tells a deletion and an addition when a name was reused while it was away', async () => {
    const { api, informer, seen } = setUp();
    api.put(configMap('a'));
    informer.start();
    await informer.whenSynced();
    await eventually(() => api.requests.some(({ query }) => query?.watch === true));
    api.dropWatches();
    api.remove(ConfigMaps, 'a', 'default');
    api.put(configMap('a', { second: 'life' }));
    api.compact();
    await eventually(() => seen.length === 3);
    expect(seen.slice(1)).toEqual(['delete a', 'add a']);
  });

  it('goes on through failures of any kind and a handler that throws', async () => {
    const { api, informer, seen } = setUp();
    informer.addHandler({
      onAdd: () => {
        throw new Error('a bad handler');
      },
    });
    api.failOnce(({ query }) => query?.watch !== true, new StatusError({ code: 503, message: 'down' }));
    api.failOnce(({ query }) => query?.watch === true, new Error('ECONNRESET'));
    informer.start();
    await informer.whenSynced();
    api.put(configMap('a'));
    await eventually(() => seen.includes('add a'));
  });

  it('replaces a watch that is silent', async () => {
    const { api, informer } = setUp({ silenceMs: 60 });
    informer.start();
    await informer.whenSynced();
    await eventually(() => api.requests.filter(({ query }) => query?.watch === true).length >= 2);
  });
});

describe('informer factory', () => {
  it('shares an informer by type and selector', async () => {
    const api = createFakeTransport();
    const factory = createInformerFactory(createClient(api), { logger: silentLogger });
    stops.push(() => factory.stop());
    const all = factory.informer(ConfigMaps);
    expect(factory.informer(ConfigMaps, {})).toBe(all);
    expect(factory.existing(ConfigMaps)).toBe(all);
    expect(factory.existing(Nodes)).toBeUndefined();
    const red = factory.informer(ConfigMaps, { labelSelector: 'color=red' });
    expect(red).not.toBe(all);
    api.put({ ...configMap('a'), metadata: { name: 'a', namespace: 'default', labels: { color: 'red' } } });
    api.put(configMap('b'));
    factory.start();
    await factory.whenSynced();
    expect(all.size).toBe(2);
    expect(red.list().map((object) => object.metadata.name)).toEqual(['a']);
    // An object that leaves the selector is gone for who selects.
    api.put({ ...configMap('a'), metadata: { ...api.get(ConfigMaps, 'a', 'default')!.metadata, labels: {} } });
    await eventually(() => red.size === 0);
    expect(all.size).toBe(2);
  });
});
