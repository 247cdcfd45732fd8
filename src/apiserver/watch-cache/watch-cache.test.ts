import { afterEach, describe, expect, it } from 'vitest';
import type { KubeList, WatchEvent } from '../../apimachinery/meta.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';
import { Entry } from './entry.ts';
import { encodeStored } from './object-encoding.ts';
import { OrderedEntries } from './ordered-entries.ts';

const running: TestApiServer[] = [];
let store = openMemoryStore();
async function start(): Promise<TestApiServer> {
  const test = await startTestApiServer({ store });
  running.push(test);
  return test;
}
afterEach(async () => {
  for (const test of running.splice(0)) await test.stop();
});

const path = '/api/v1/namespaces/default/configmaps';
const create = (test: TestApiServer, name: string) =>
  test.transport.request<{ metadata: { resourceVersion: string } }>({
    method: 'POST',
    path,
    body: { metadata: { name } },
  });
const list = (test: TestApiServer, query: Record<string, string | number>) =>
  test.transport.request<KubeList>({ method: 'GET', path, query }).then(({ body }) => body);
const names = (page: KubeList) => page.items.map(({ metadata }) => metadata.name);

describe('after a restart', () => {
  it('lists go on with their token, watches with their resourceVersion, and nothing is lost', async () => {
    const first = await start();
    for (const name of ['a', 'b', 'c', 'd']) await create(first, name);
    const page = await list(first, { limit: 2 });
    await first.transport.request({ method: 'DELETE', path: `${path}/c` });
    await running.splice(0)[0]!.stop();

    const second = await start();
    expect(names(await list(second, {}))).toEqual(['a', 'b', 'd']);
    expect(names(await list(second, { limit: 5, continue: page.metadata.continue! }))).toEqual(['c', 'd']);
    const events: WatchEvent[] = [];
    const query = { resourceVersion: page.metadata.resourceVersion! };
    const stream = second.transport.watch({ method: 'GET', path, query }, (batch) => {
      events.push(...batch);
    });
    await create(second, 'e');
    for (let i = 0; events.length < 2 && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(['DELETED c', 'ADDED e']);
    stream.stop();
  });

  it('says 410 with a token to go on with when history is compacted away', async () => {
    store = openMemoryStore();
    const first = await start();
    for (const name of ['a', 'b', 'c']) await create(first, name);
    const page = await list(first, { limit: 1 });
    await create(first, 'd');
    await running.splice(0)[0]!.stop();
    const second = await start();
    await store.compact(await store.revision());
    const refused = await list(second, { continue: page.metadata.continue! }).catch((error) => error.status);
    expect(refused).toMatchObject({ code: 410, reason: 'Expired', metadata: { continue: expect.any(String) } });
    expect(names(await list(second, { continue: refused.metadata.continue }))).toEqual(['b', 'c', 'd']);
    const query = { resourceVersion: page.metadata.resourceVersion! };
    const stream = second.transport.watch({ method: 'GET', path, query }, () => {});
    await expect(stream.done).rejects.toThrow(/^too old resource version: \d+ \(\d+\)$/);
  });
});

describe('compaction', () => {
  it('forgets what is older than two intervals, and nobody who is up to date notices', async () => {
    store = openMemoryStore();
    const test = await startTestApiServer({ store, limits: { compactionIntervalMs: 50 } });
    running.push(test);
    for (const name of ['a', 'b', 'c']) await create(test, name);
    const page = await list(test, { limit: 1 });
    const old = page.metadata.resourceVersion!;
    const events: WatchEvent[] = [];
    const stream = test.transport.watch({ method: 'GET', path, query: { resourceVersion: old } }, (batch) => {
      events.push(...batch);
    });
    await create(test, 'd');
    const compacted = () =>
      store.range({ start: '/', end: '0', revision: Number(old) }).then(
        () => false,
        (error: Error) => error.name === 'CompactedError',
      );
    for (let i = 0; !(await compacted()) && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await compacted()).toBe(true);
    const refused = await list(test, { limit: 1, continue: page.metadata.continue! }).catch((error) => error.status);
    expect(refused).toMatchObject({ code: 410, reason: 'Expired' });
    expect(names(await list(test, { continue: refused.metadata.continue }))).toEqual(['b', 'c', 'd']);
    await create(test, 'e');
    for (let i = 0; events.length < 2 && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events.map(({ object }) => object.metadata.name)).toEqual(['d', 'e']);
    stream.stop();
  });
});

describe('an entry', () => {
  it('shows the stored bytes with its resourceVersion, and its metadata alone', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'X',
      metadata: { name: 'é"}\\', labels: { a: '{' } },
      data: '"metadata":{',
    };
    const entry = new Entry('x', 1234, encodeStored(object));
    expect(JSON.parse(entry.bytes.toString())).toEqual({
      ...object,
      metadata: { resourceVersion: '1234', ...object.metadata },
    });
    const buffer = Buffer.alloc(entry.metadataLength);
    expect(entry.writeMetadataTo(buffer, 0)).toBe(buffer.length);
    expect(JSON.parse(`{${buffer}}`).metadata).toEqual({ resourceVersion: '1234', ...object.metadata });
  });
});

describe('ordered entries', () => {
  it('keep order and their snapshots through many writes', () => {
    const entries = new OrderedEntries();
    const model = new Map<string, number>();
    const key = () => `n${Math.floor(Math.random() * 20)}/k${Math.floor(Math.random() * 200)}`;
    const snapshots: { seen: string[]; range: () => string[] }[] = [];
    const shown = (list: Entry[]) => list.map((entry) => `${entry.key}=${entry.revision}`);
    for (let revision = 1; revision <= 20_000; revision++) {
      const k = key();
      if (Math.random() < 0.7) {
        entries.set(new Entry(k, revision, Buffer.from('{}')));
        model.set(k, revision);
      } else {
        entries.delete(k);
        model.delete(k);
      }
      if (revision % 1000 === 0) {
        const snapshot = entries.snapshot(revision);
        snapshots.push({ seen: shown(entries.range('', '')), range: () => shown(snapshot.range('', '')) });
      }
    }
    const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, revision]) => `${k}=${revision}`);
    expect(shown(entries.range('', ''))).toEqual(sorted);
    expect(shown(entries.range('n1/', 'n10'))).toEqual(sorted.filter((text) => text >= 'n1/' && text < 'n10'));
    expect(entries.count('n1/', 'n10')).toBe(entries.range('n1/', 'n10').length);
    for (const { seen, range } of snapshots) expect(range()).toEqual(seen);
  });
});
