import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefixEnd, type StoreEvent } from '../store.ts';
import { type EtcdServer, etcdMissing, startEtcd } from '../testing/etcd-server.ts';
import { openEtcdStore } from './etcd-store.ts';

const missing = etcdMissing();
const suite = missing ? describe.skip : describe;

suite(missing ? `etcd: skipped, ${missing}` : 'the etcd store', () => {
  let dir: string;
  let etcd: EtcdServer;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'k8ts-etcd-'));
    etcd = await startEtcd(join(dir, 'data'));
  });
  afterAll(async () => {
    await etcd.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  it('goes on watching without a gap after the member was killed and came back', { timeout: 30_000 }, async () => {
    // The first endpoint answers nobody.
    const store = await openEtcdStore({ endpoints: ['http://127.0.0.1:1', etcd.endpoint], prefix: '/k8ts' });
    const writer = await openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/k8ts' });
    const events: StoreEvent[] = [];
    const watch = store.watch({
      start: '/g/',
      end: prefixEnd('/g/'),
      startRevision: await store.revision(),
      onEvents: (batch) => events.push(...batch),
    });
    const put = (n: number) =>
      writer.commit({ compare: [], operations: [{ type: 'put', key: `/g/${n}`, value: Buffer.from('x') }] });
    await put(0);
    await expect.poll(() => events.length).toBe(1);
    await etcd.kill();
    await etcd.start();
    for (let n = 1; n <= 20; n++) await put(n);
    await expect.poll(() => events.length, { timeout: 15_000 }).toBe(21);
    expect(events.map((event) => event.kv.key)).toEqual(Array.from({ length: 21 }, (_, n) => `/g/${n}`));
    watch.close();
    await watch.done;
    await Promise.all([store.close(), writer.close()]);
  });

  it('keeps clusters with different prefixes apart, and reports how far a quiet watch is', async () => {
    const [one, other] = await Promise.all(
      ['/one', '/other'].map((prefix) => openEtcdStore({ endpoints: [etcd.endpoint], prefix })),
    );
    if (!one || !other) return expect.unreachable();
    let progress = 0;
    const watch = one.watch({
      start: '/',
      end: prefixEnd('/'),
      startRevision: await one.revision(),
      onEvents: () => expect.unreachable(),
      onProgress: (revision) => {
        progress = revision;
      },
    });
    await other.commit({ compare: [], operations: [{ type: 'put', key: '/a', value: Buffer.from('x') }] });
    expect(await one.get('/a')).toBeUndefined();
    const revision = await one.revision();
    await expect.poll(() => progress).toBe(revision);
    watch.close();
    await Promise.all([one.close(), other.close()]);
  });

  it('names the endpoints that do not answer', async () => {
    await expect(openEtcdStore({ endpoints: ['http://127.0.0.1:1'] })).rejects.toMatchObject({
      code: 'ETCD_UNREACHABLE',
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });
});
