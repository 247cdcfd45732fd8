import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefixEnd, type Store, type StoreEvent } from '../store.ts';
import { openLmdbStore } from './lmdb-store.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
let root: string;
const newDir = () => mkdtempSync(join(root, 'store-'));

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'k8ts-lmdb-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the lmdb store', () => {
  it('keeps state, history, leases and the compacted revision over a restart', async () => {
    const path = newDir();
    let store = await openLmdbStore({ path });
    const first = await put(store, '/r/a', '1');
    await put(store, '/r/a', '2');
    await put(store, '/r/b', '1');
    await store.compact(first + 1);
    const lease = await store.grantLease(600);
    await put(store, '/r/c', '1', lease.id);
    await store.commit({ compare: [], operations: [{ type: 'delete', key: '/r/b' }] });
    const revision = await store.revision();
    await store.close();

    store = await openLmdbStore({ path });
    expect(await store.revision()).toBe(revision);
    expect((await store.get('/r/a'))?.version).toBe(2);
    const past = await store.range({ start: '/r/', end: prefixEnd('/r/'), revision: first + 2 });
    expect(past.kvs.map((kv) => kv.key)).toEqual(['/r/a', '/r/b']);
    const events: StoreEvent[] = [];
    const watch = store.watch({
      start: '/r/',
      end: prefixEnd('/r/'),
      startRevision: first + 1,
      onEvents: (batch) => events.push(...batch),
    });
    await store.revokeLease(lease.id);
    await expect
      .poll(() => events.map(({ type, kv }) => `${type} ${kv.key}`))
      .toEqual(['put /r/b', 'put /r/c', 'delete /r/b', 'delete /r/c']);
    watch.close();
    await expect(store.get('/r/a', { revision: first })).rejects.toThrow('compacted');
    await store.close();
  });

  it('gives room back: compaction leaves one record a key', async () => {
    const path = newDir();
    const store = await openLmdbStore({ path });
    for (let round = 0; round < 10; round++)
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(store, `/g/${i}`, 'x'.repeat(1000))));
    const size = readFileSync(join(path, 'data.mdb')).length;
    for (let round = 0; round < 6; round++) {
      await store.compact(await store.revision());
      for (let i = 0; i < 10; i++)
        await Promise.all(Array.from({ length: 100 }, (_, i) => put(store, `/g/${i}`, 'y'.repeat(1000))));
    }
    expect(readFileSync(join(path, 'data.mdb')).length).toBeLessThan(size * 3);
    await store.close();
  });

  it('loses no acknowledged write to SIGKILL, and keeps none by halves', { timeout: 40_000 }, async () => {
    const program = join(root, 'writer.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('./testing/writer-process.ts', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['lmdb'],
      outfile: program,
      logLevel: 'silent',
    });
    // The bundle is outside of the repository; lmdb is inside.
    const source = readFileSync(program, 'utf8').replaceAll('"lmdb"', JSON.stringify(import.meta.resolve('lmdb')));
    writeFileSync(program, source);
    const path = newDir();
    const acknowledged = new Map<number, number>();
    for (let round = 0; round < 6; round++) {
      const { lines, signal } = await runAndKill(program, path, round * 1_000_000, 20 + Math.random() * 250);
      expect(signal).toBe('SIGKILL');
      for (const [n, revision] of lines) acknowledged.set(n, revision);
      const store = await openLmdbStore({ path });
      const [a, b] = await Promise.all(
        ['/a/', '/b/'].map((start) => store.range({ start, end: prefixEnd(start) }).then(({ kvs }) => kvs)),
      );
      const of = new Map(a?.map((kv) => [Number(kv.key.slice(3)), kv]));
      for (const [n, revision] of acknowledged) expect(of.get(n)?.modRevision).toBe(revision);
      expect(b?.map((kv) => [kv.key.slice(3), kv.modRevision])).toEqual(
        a?.map((kv) => [kv.key.slice(3), kv.modRevision]),
      );
      for (const [n, kv] of of) expect(Buffer.from(kv.value).toString().split(' ')[0]).toBe(String(n));
      expect((await store.get('/last'))?.modRevision).toBe(await store.revision());
      await store.close();
    }
    expect(acknowledged.size).toBeGreaterThan(100);
  });

  it.each([
    ['overwritten from the start', (file: string) => writeFileSync(file, Buffer.alloc(60_000, 'garbage'))],
    ['cut off', (file: string) => truncateSync(file, 3 * 4096)],
    ['cut off to a little', (file: string) => truncateSync(file, 100)],
    ['overwritten in the middle', (file: string) => overwrite(file, 0.05, 0.95)],
  ])('says that a file is damaged which was %s', async (_, damage) => {
    const path = newDir();
    const store = await openLmdbStore({ path });
    for (let i = 0; i < 200; i += 20)
      await Promise.all(Array.from({ length: 20 }, (_, k) => put(store, `/d/${i + k}`, 'v'.repeat(900))));
    await store.close();
    damage(join(path, 'data.mdb'));
    await expect(openLmdbStore({ path })).rejects.toMatchObject({
      code: 'DATASTORE_CORRUPT',
      remedy: expect.stringContaining('backup'),
    });
  });

  it('does not give out a value that the disk changed', async () => {
    const path = newDir();
    const store = await openLmdbStore({ path });
    await put(store, '/v', 'the value as it was written');
    await store.close();
    const file = join(path, 'data.mdb');
    const content = readFileSync(file);
    for (let at = content.indexOf('as it was'); at >= 0; at = content.indexOf('as it was', at + 1))
      content.write('AS', at);
    writeFileSync(file, content);
    const again = await openLmdbStore({ path });
    await expect(again.get('/v')).rejects.toMatchObject({ code: 'DATASTORE_CORRUPT' });
    await again.close();
  });

  it('opens a hundred thousand keys at once', { timeout: 60_000 }, async () => {
    const path = newDir();
    let store = await openLmdbStore({ path });
    for (let i = 0; i < 100_000; i += 2000)
      await Promise.all(Array.from({ length: 2000 }, (_, k) => put(store, `/n/${i + k}`, 'x'.repeat(300))));
    await store.close();
    const start = performance.now();
    store = await openLmdbStore({ path });
    const opened = performance.now() - start;
    expect((await store.range({ start: '/n/', end: prefixEnd('/n/'), countOnly: true })).count).toBe(100_000);
    expect(opened).toBeLessThan(300);
    await store.close();
  });
});

const canMount = mountsTmpfs();
const onSmallDisk = canMount ? it : it.skip;

onSmallDisk(
  canMount
    ? 'rejects writes while the disk is full, serves reads, and recovers'
    : 'disk full: skipped, a tmpfs can not be mounted (needs root)',
  async () => {
    const disk = join(root, 'disk');
    mountTmpfs(disk);
    try {
      const path = join(disk, 'store');
      const ballast = join(disk, 'ballast');
      writeFileSync(ballast, Buffer.alloc(4_000_000));
      let store = await openLmdbStore({ path });
      const written: number[] = [];
      let failure: unknown;
      for (let n = 0; n < 2000 && !failure; n++) {
        // What can't be compressed.
        const value = randomBytes(20_000);
        const operations = ['a', 'b'].map((side) => ({ type: 'put' as const, key: `/${side}/${n}`, value }));
        await store.commit({ compare: [], operations }).then(
          () => written.push(n),
          (error) => {
            failure = error;
          },
        );
      }
      expect(failure).toMatchObject({ code: 'DATASTORE_DISK_FULL', remedy: expect.stringContaining('Free space') });
      const check = async () => {
        for (const side of ['/a/', '/b/']) {
          const { kvs } = await store.range({ start: side, end: prefixEnd(side) });
          expect(kvs.map((kv) => Number(kv.key.slice(3))).toSorted((a, b) => a - b)).toEqual(written);
        }
        expect(await store.revision()).toBe(written.length + 1);
      };
      await check();
      rmSync(ballast);
      const n = 5000;
      const value = randomBytes(20_000);
      await store.commit({
        compare: [],
        operations: ['a', 'b'].map((side) => ({ type: 'put', key: `/${side}/${n}`, value })),
      });
      written.push(n);
      await check();
      await store.close();
      store = await openLmdbStore({ path });
      await check();
      await store.close();
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  },
);

function mountsTmpfs(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const dir = mkdtempSync(join(tmpdir(), 'k8ts-disk-'));
  try {
    mountTmpfs(dir);
    execFileSync('umount', [dir]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function mountTmpfs(dir: string): void {
  mkdirSync(dir, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', dir], { stdio: 'ignore' });
}

function runAndKill(program: string, path: string, start: number, afterMs: number) {
  return new Promise<{ lines: [number, number][]; signal: string | null }>((resolve) => {
    const child = spawn(process.execPath, [program, path, String(start)], {
      cwd: REPOSITORY,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    let ready = false;
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (ready || !output.startsWith('ready\n')) return;
      ready = true;
      setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
    child.once('close', (_, signal) => {
      const whole = output.slice(0, output.lastIndexOf('\n')).split('\n').slice(1);
      resolve({ lines: whole.map((text) => text.split(' ').map(Number) as [number, number]), signal });
    });
  });
}

function overwrite(file: string, from: number, to: number): void {
  const size = readFileSync(file).length;
  const start = Math.floor((size * from) / 4096) * 4096;
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(Math.floor(size * to) - start, 0xa5), 0, undefined, start);
}

async function put(store: Store, key: string, value: string, lease?: string): Promise<number> {
  const operation = { type: 'put' as const, key, value: Buffer.from(value), ...(lease ? { lease } : {}) };
  return (await store.commit({ compare: [], operations: [operation] })).revision;
}
