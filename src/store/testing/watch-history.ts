import fc from 'fast-check';
import { expect } from 'vitest';
import { type KeyValue, prefixEnd, type Store, type StoreEvent, type StoreOperation } from '../store.ts';
import { bytes, collect, line, show, until } from './store-probes.ts';

/** What writers do and after how many batches watchers drop. */
export const scenario = fc.record({
  writers: fc.array(
    fc.array(
      fc.record({ key: fc.integer({ min: 0, max: 7 }), kind: fc.constantFrom('put', 'put', 'delete', 'swap', 'pair') }),
      { minLength: 5, maxLength: 30 },
    ),
    { minLength: 2, maxLength: 4 },
  ),
  drops: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 3, maxLength: 6 }),
});

/** Runs the writers side by side; each watcher drops after some batches, resumes, and must have seen all of history. */
export async function history(
  store: Store,
  writers: readonly (readonly { key: number; kind: string }[])[],
  drops: readonly number[],
): Promise<void> {
  const range = { start: '/h/', end: prefixEnd('/h/') };
  const base = await store.revision();
  const key = (n: number) => `/h/${n}`;
  const states = new Map<number, string>();
  const watchers = drops.map((drop) => resuming(store, range, base, drop));
  const complete = collect(store, '/h/', base);
  await Promise.all(
    writers.map(async (operations, writer) => {
      for (const [i, operation] of operations.entries()) {
        const value = bytes(`${writer}.${i}`);
        const operationsOf: StoreOperation[] =
          operation.kind === 'delete'
            ? [{ type: 'delete', key: key(operation.key) }]
            : [{ type: 'put', key: key(operation.key), value }];
        if (operation.kind === 'pair')
          operationsOf.push({ type: 'put', key: key((operation.key + 1) % 8), value: bytes(`${writer}.${i}'`) });
        const current = operation.kind === 'swap' ? await store.get(key(operation.key)) : undefined;
        const compare =
          operation.kind === 'swap' ? [{ key: key(operation.key), modRevision: current?.modRevision ?? 0 }] : [];
        const result = await store.commit({ compare, operations: operationsOf });
        if (i % 5 === 0) {
          const kvs = (await store.range({ ...range, revision: result.revision })).kvs;
          states.set(result.revision, JSON.stringify(kvs.map(show)));
        }
      }
    }),
  );
  const last = await store.revision();
  await until(() => complete.revision === last || complete.events.at(-1)?.kv.modRevision === last);
  for (const watcher of watchers) {
    await until(() => watcher.events.length >= complete.events.length);
    watcher.stop();
    expect(watcher.events.map(line)).toEqual(complete.events.map(line));
  }
  complete.watch.close();
  // What watchers saw, played back, is what was there at each revision that somebody looked at.
  const model = new Map<string, KeyValue>();
  const revisions = [...states.keys()].toSorted((a, b) => a - b);
  const compare = (before: number) => {
    while ((revisions[0] ?? Number.POSITIVE_INFINITY) < before) {
      const kvs = [...model.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
      expect(JSON.stringify(kvs.map(show))).toBe(states.get(revisions.shift() ?? 0));
    }
  };
  for (const { type, kv } of complete.events) {
    compare(kv.modRevision);
    if (type === 'put') model.set(kv.key, kv);
    else model.delete(kv.key);
  }
  compare(Number.POSITIVE_INFINITY);
}

function resuming(store: Store, range: { start: string; end: string }, base: number, drop: number) {
  const events: StoreEvent[] = [];
  let position = base;
  let stopped = false;
  let close = () => {};
  const start = () => {
    let left = drop;
    const watch = store.watch({
      ...range,
      startRevision: position,
      onEvents: (batch, revision) => {
        const revisions = batch.map((event) => event.kv.modRevision);
        expect(Math.min(...revisions)).toBeGreaterThan(position);
        expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
        expect(revision).toBeGreaterThanOrEqual(revisions.at(-1) ?? 0);
        events.push(...batch);
        position = revision;
        if (--left > 0 || stopped) return;
        watch.close();
        setTimeout(() => !stopped && start(), drop % 3);
      },
    });
    close = () => watch.close();
  };
  start();
  return {
    events,
    stop: () => {
      stopped = true;
      close();
    },
  };
}
