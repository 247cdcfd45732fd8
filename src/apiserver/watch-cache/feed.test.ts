import { describe, expect, it } from 'vitest';
import { configMap } from '../../api/core/config-map.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { type Batch, CacheEvent } from './cache-event.ts';
import { Entry } from './entry.ts';
import { Feed } from './feed.ts';
import { FieldSetPool } from './field-set-pool.ts';
import { compileSelection } from './filter.ts';
import { encodeStored } from './object-encoding.ts';
import { Watcher } from './watcher.ts';

const selection = compileSelection(configMap, 'default', 'app=web', undefined);

function entry(revision: number, app: string): Entry {
  const metadata = { name: 'one', namespace: 'default', labels: { app }, resourceVersion: String(revision) };
  return new Entry('default/one', revision, encodeStored({ apiVersion: 'v1', kind: 'ConfigMap', metadata } as never));
}

async function watcherOf(feed: Feed, bookmarks = false) {
  const batches: Batch[] = [];
  const scheduled = new Set<Watcher>();
  const sink = { deliver: (batch: Batch) => void batches.push(batch), close: () => undefined };
  const watcher = new Watcher(configMap, selection, bookmarks, sink, (dirty) => scheduled.add(dirty));
  watcher.feed = feed;
  feed.add(watcher);
  await watcher.begin([], undefined);
  return {
    watcher,
    batches,
    told() {
      for (const dirty of scheduled) dirty.flush();
      return batches.flatMap(({ notices }) => notices.map(({ type, entry }) => `${type} ${entry.revision}`));
    },
  };
}

describe('watches of one selection', () => {
  it('are told the same batch, each of what comes after its beginning, and no bookmark before an event', async () => {
    const rounds: Feed[] = [];
    const feed = new Feed(configMap, selection, (dirty) => rounds.push(dirty));
    const [first, second] = [await watcherOf(feed), await watcherOf(feed, true)];
    const states = [entry(1, 'web'), entry(2, 'web'), entry(3, 'db'), entry(4, 'db')];
    feed.offer(new CacheEvent('ADDED', states[0]!, undefined));
    feed.offer(new CacheEvent('MODIFIED', states[1]!, states[0]));
    expect(rounds).toEqual([feed]);
    const late = await watcherOf(feed);
    feed.offer(new CacheEvent('MODIFIED', states[2]!, states[1]));
    feed.offer(new CacheEvent('MODIFIED', states[3]!, states[2]));
    second.watcher.offerBookmark(4);
    expect(first.told()).toEqual(['ADDED 1', 'MODIFIED 2', 'DELETED 3']);
    // It lags, so its bookmark waits for another time.
    expect(second.told()).toEqual(first.told());
    second.watcher.offerBookmark(4);
    expect(second.told().at(-1)).toBe('BOOKMARK 4');
    expect(late.told()).toEqual(['DELETED 3']);
    expect(first.batches).toEqual(second.batches.slice(0, 2));
    expect(first.batches[0]).toBe(second.batches[0]);
  });
});

describe('field sets', () => {
  it('that are equal are one, whoever made the object', () => {
    const pool = new FieldSetPool();
    const stored = (name: string) =>
      encodeStored({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, managedFields: [{ manager: name, fieldsV1: { 'f:data': { 'f:a': {} } } }] },
      } as unknown as UnstructuredObject);
    const [a, b] = ['a', 'b'].map((name, at) => new Entry(name, at + 1, stored(name), undefined, pool).object.metadata);
    expect(a!.managedFields![0]).toMatchObject({ manager: 'a', fieldsV1: { 'f:data': { 'f:a': {} } } });
    expect(a!.managedFields![0]!.fieldsV1).toBe(b!.managedFields![0]!.fieldsV1);
  });
});
