import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcdStore } from './etcd/etcd-store.ts';
import { openLmdbStore } from './lmdb/lmdb-store.ts';
import { openMemoryStore } from './memory/memory-store.ts';
import {
  CompactedError,
  FutureRevisionError,
  LeaseNotFoundError,
  prefixEnd,
  type Store,
  type StoreOperation,
} from './store.ts';
import { type EtcdServer, etcdMissing, startEtcd } from './testing/etcd-server.ts';
import { bytes, collect, put, settle, show, text, until, write } from './testing/store-probes.ts';
import { history, scenario } from './testing/watch-history.ts';

interface Backend {
  readonly name: string;
  readonly missing: string | undefined;
  prepare?(dir: string): Promise<void>;
  clean?(): Promise<void>;
  open(dir: string): Promise<Store>;
}

let etcd: EtcdServer | undefined;
let etcdPrefixes = 0;
const BACKENDS: readonly Backend[] = [
  { name: 'memory', missing: undefined, open: async () => openMemoryStore() },
  { name: 'lmdb', missing: undefined, open: (dir) => openLmdbStore({ path: dir }) },
  {
    name: 'etcd',
    missing: etcdMissing(),
    prepare: async (dir) => {
      etcd = await startEtcd(dir);
    },
    clean: async () => etcd?.kill(),
    open: () => openEtcdStore({ endpoints: [etcd?.endpoint ?? ''], prefix: `/test${etcdPrefixes++}` }),
  },
];

for (const backend of BACKENDS) {
  const suite = backend.missing ? describe.skip : describe;
  suite(backend.missing ? `${backend.name}: skipped, ${backend.missing}` : backend.name, () => {
    let root: string;
    const stores: Store[] = [];
    const open = async () => {
      const store = await backend.open(mkdtempSync(join(root, 'store-')));
      stores.push(store);
      return store;
    };

    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), 'k8ts-store-'));
      await backend.prepare?.(join(root, 'server'));
    });

    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()));
      await backend.clean?.();
      rmSync(root, { recursive: true, force: true });
    });

    it('counts revisions and versions, and shows a commit to the reads after it', async () => {
      const store = await open();
      const base = await store.revision();
      expect(await store.get('/a')).toBeUndefined();
      expect(await put(store, '/a', 'one')).toBe(base + 1);
      expect(await put(store, '/a', 'two')).toBe(base + 2);
      expect(show(await store.get('/a'))).toEqual({
        key: '/a',
        value: 'two',
        createRevision: base + 1,
        modRevision: base + 2,
        version: 2,
      });
      // Deleting what is not there writes nothing.
      expect(await write(store, [{ type: 'delete', key: '/none' }])).toBe(base + 2);
      expect(await write(store, [{ type: 'delete', key: '/a' }])).toBe(base + 3);
      expect(await store.get('/a')).toBeUndefined();
      await put(store, '/a', '');
      expect(show(await store.get('/a'))).toMatchObject({ value: '', createRevision: base + 4, version: 1 });
      expect(await store.revision()).toBe(base + 4);
    });

    it('gives all writes of a transaction one revision, or does none', async () => {
      const store = await open();
      const base = await store.revision();
      await write(store, [
        { type: 'put', key: '/x', value: bytes('1') },
        { type: 'put', key: '/y', value: bytes('2') },
      ]);
      expect((await store.get('/x'))?.modRevision).toBe(base + 1);
      expect((await store.get('/y'))?.modRevision).toBe(base + 1);
      const result = await store.commit({
        compare: [
          { key: '/x', modRevision: base + 1 },
          { key: '/y', modRevision: 7_000_000 },
          { key: '/z', modRevision: 0 },
        ],
        operations: [
          { type: 'put', key: '/x', value: bytes('no') },
          { type: 'delete', key: '/y' },
        ],
      });
      expect(result.succeeded).toBe(false);
      if (!result.succeeded) expect(result.current.map((kv) => show(kv)?.value)).toEqual(['1', '2', undefined]);
      expect(show(await store.get('/x'))?.value).toBe('1');
      expect(await store.revision()).toBe(base + 1);
      const twice: StoreOperation[] = [
        { type: 'put', key: '/x', value: bytes('a') },
        { type: 'delete', key: '/x' },
      ];
      await expect(store.commit({ compare: [], operations: twice })).rejects.toThrow('duplicate key');
    });

    it('lets exactly one of many racing writers win', async () => {
      const store = await open();
      let modRevision = await put(store, '/race', 'start');
      for (let round = 0; round < 5; round++) {
        const compare = [{ key: '/race', modRevision }];
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            store.commit({ compare, operations: [{ type: 'put', key: '/race', value: bytes(`${round}-${i}`) }] }),
          ),
        );
        const winners = results.flatMap((result, i) => (result.succeeded ? [{ i, revision: result.revision }] : []));
        expect(winners).toHaveLength(1);
        modRevision = winners[0]?.revision ?? 0;
        expect(show(await store.get('/race'))).toMatchObject({ value: `${round}-${winners[0]?.i}`, modRevision });
        for (const result of results) if (!result.succeeded) expect(result.current[0]?.modRevision).toBe(modRevision);
      }
    });

    it('ranges over keys in order, by limit, by count and as of an older revision', async () => {
      const store = await open();
      for (const key of ['/p/b', '/p/a', '/q/a', '/p/c', '/p0', '/p']) await put(store, key, key);
      const before = await store.revision();
      await put(store, '/p/a', 'changed');
      await write(store, [{ type: 'delete', key: '/p/b' }]);
      await put(store, '/p/d', 'new');
      const range = { start: '/p/', end: prefixEnd('/p/') };
      const now = await store.range(range);
      expect(now).toMatchObject({ more: false, count: 3, revision: await store.revision() });
      expect(now.kvs.map((kv) => kv.key)).toEqual(['/p/a', '/p/c', '/p/d']);
      const page = await store.range({ ...range, limit: 2 });
      expect([page.kvs.map((kv) => kv.key), page.more, page.count]).toEqual([['/p/a', '/p/c'], true, 3]);
      expect(await store.range({ ...range, countOnly: true })).toMatchObject({ kvs: [], count: 3 });
      const past = await store.range({ ...range, revision: before });
      expect(past.kvs.map((kv) => [kv.key, text(kv.value)])).toEqual([
        ['/p/a', '/p/a'],
        ['/p/b', '/p/b'],
        ['/p/c', '/p/c'],
      ]);
      expect(await store.range({ ...range, revision: before, limit: 1 })).toMatchObject({ more: true, count: 3 });
      expect(show(await store.get('/p/b', { revision: before }))?.value).toBe('/p/b');
      expect(await store.get('/p/d', { revision: before })).toBeUndefined();
      await expect(store.get('/p/a', { revision: 9_000_000 })).rejects.toThrow(FutureRevisionError);
      await expect(store.range({ ...range, revision: 9_000_000 })).rejects.toThrow(FutureRevisionError);
    });

    it('watches from now and from the past, without a gap and only its range', async () => {
      const store = await open();
      const base = await put(store, '/w/a', '1');
      await put(store, '/other', 'x');
      await write(store, [
        { type: 'put', key: '/w/b', value: bytes('2') },
        { type: 'delete', key: '/w/a' },
      ]);
      const past = collect(store, '/w/', base);
      const live = collect(store, '/w/', 0);
      const single = collect(store, '/w/b', base, '/w/b\0');
      if (backend.name === 'etcd') await settle(100);
      await put(store, '/w/c', '3');
      await put(store, '/w/b', '4');
      const last = await store.revision();
      await until(() => [past, live, single].every((watch) => watch.revision === last));
      const changes = ['put /w/b 2', 'delete /w/a ', 'put /w/c 3', 'put /w/b 4'];
      expect(past.log.toSorted()).toEqual(changes.toSorted());
      expect(live.log).toEqual(changes.slice(2));
      expect(single.log).toEqual(['put /w/b 2', 'put /w/b 4']);
      expect(past.events.find((event) => event.type === 'delete')).toMatchObject({
        kv: { key: '/w/a', modRevision: base + 2, createRevision: 0, version: 0 },
        previous: { key: '/w/a', createRevision: base },
      });
      expect(past.events.at(-1)?.previous).toMatchObject({ modRevision: base + 2 });
      past.watch.close();
      await put(store, '/w/d', '5');
      await until(() => live.revision === last + 1);
      expect(past.revision).toBe(last);
      await past.watch.done;
    });

    it('tells a quiet watch how far it is', async () => {
      const store = await open();
      let progress = 0;
      const watch = store.watch({
        start: '/quiet/',
        end: prefixEnd('/quiet/'),
        startRevision: 0,
        onEvents: () => expect.unreachable(),
        onProgress: (revision) => {
          progress = revision;
        },
      });
      if (backend.name === 'etcd') await settle(100);
      const revision = await put(store, '/loud', 'x');
      // What makes the etcd store ask for it.
      expect(await store.revision()).toBe(revision);
      await until(() => progress === revision);
      watch.close();
    });

    it('forgets what was compacted and says so', async () => {
      const store = await open();
      const first = await put(store, '/c/a', '1');
      await put(store, '/c/a', '2');
      await put(store, '/c/b', '1');
      await write(store, [{ type: 'delete', key: '/c/b' }]);
      const compacted = await put(store, '/c/c', '1');
      await put(store, '/c/a', '3');
      await store.compact(compacted);
      await expect(store.get('/c/a', { revision: first })).rejects.toThrow(CompactedError);
      await expect(store.range({ start: '/c/', end: '/c0', revision: compacted - 1 })).rejects.toThrow(CompactedError);
      await expect(store.compact(compacted)).rejects.toThrow(CompactedError);
      await expect(store.compact(9_000_000)).rejects.toThrow(FutureRevisionError);
      const at = await store.range({ start: '/c/', end: '/c0', revision: compacted });
      expect(at.kvs.map((kv) => [kv.key, text(kv.value), kv.version])).toEqual([
        ['/c/a', '2', 2],
        ['/c/c', '1', 1],
      ]);
      await expect(collect(store, '/c/', first).watch.done).rejects.toThrow(CompactedError);
      const watch = collect(store, '/c/', compacted);
      await until(() => watch.log.length > 0);
      expect(watch.log).toEqual(['put /c/a 3']);
      expect(show(await store.get('/c/a'))).toMatchObject({ value: '3', createRevision: first, version: 3 });
    });

    it('deletes the keys of a lease when it ends', async () => {
      const store = await open();
      const lease = await store.grantLease(60);
      const short = await store.grantLease(1);
      await put(store, '/l/a', '1', lease.id);
      await put(store, '/l/b', '1', lease.id);
      await put(store, '/l/c', '1', lease.id);
      await put(store, '/l/c', '2');
      await put(store, '/l/d', '1', short.id);
      expect((await store.get('/l/a'))?.lease).toBe(lease.id);
      await store.keepLeaseAlive(lease.id);
      const revision = await store.revision();
      const watch = collect(store, '/l/', revision);
      await store.revokeLease(lease.id);
      expect(await store.revision()).toBe(revision + 1);
      await until(() => watch.log.length >= 3, 6000);
      expect(watch.log.slice(0, 2).toSorted()).toEqual(['delete /l/a ', 'delete /l/b ']);
      expect(watch.log[2]).toBe('delete /l/d ');
      expect((await store.range({ start: '/l/', end: '/l0' })).kvs.map((kv) => kv.key)).toEqual(['/l/c']);
      await expect(store.keepLeaseAlive(lease.id)).rejects.toThrow(LeaseNotFoundError);
      await expect(store.revokeLease(lease.id)).rejects.toThrow(LeaseNotFoundError);
      await expect(put(store, '/l/e', '1', lease.id)).rejects.toThrow(LeaseNotFoundError);
    });

    it('ends open watches when it is closed, and takes nothing more', async () => {
      const store = await backend.open(mkdtempSync(join(root, 'store-')));
      const { watch } = collect(store, '/', 0);
      await put(store, '/a', '1');
      await store.close();
      await watch.done;
      await expect(put(store, '/a', '2')).rejects.toThrow();
    });

    it('holds large values and thousands of keys', async () => {
      const store = await open();
      const large = Buffer.alloc(1_000_000, 'x');
      await write(store, [{ type: 'put', key: '/big', value: large }]);
      expect(Buffer.compare((await store.get('/big'))?.value ?? Buffer.of(), large)).toBe(0);
      const keys = Array.from({ length: 3000 }, (_, i) => `/many/${(i * 7919) % 3000}`);
      for (let i = 0; i < keys.length; i += 100)
        await Promise.all(keys.slice(i, i + 100).map((key) => put(store, key, key)));
      const { kvs, count } = await store.range({ start: '/many/', end: prefixEnd('/many/') });
      expect(count).toBe(3000);
      expect(kvs.map((kv) => kv.key)).toEqual(keys.toSorted());
    });

    it('shows every watcher that drops and resumes the whole history', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async ({ writers, drops }) => {
          const store = await open();
          await history(store, writers, drops);
        }),
        { numRuns: backend.name === 'etcd' ? 3 : 15 },
      );
    });
  });
}
