import { expired, type StatusError } from '../../apimachinery/status-error.ts';
import { CompactedError, prefixEnd, type StoreEvent } from '../../store/store.ts';
import { CacheEvent } from './cache-event.ts';
import type { Reader } from './list.ts';
import type { ResourceCache } from './resource-cache.ts';

const REPLAY_TIMEOUT_MS = 5000;

/**
 * The changes of a resource in `(since, until]` from the store's own history, for watches that resume from before what
 * the cache remembers (after a restart, say). Throws 410 when the store has forgotten them.
 */
export async function replay(
  reader: Reader,
  resource: ResourceCache,
  since: number,
  until: number,
): Promise<CacheEvent[]> {
  const events = await storeEvents(reader, resource, since, until);
  const result: CacheEvent[] = [];
  for (const { type, kv, previous } of events) {
    if (kv.modRevision > until) break;
    const before = previous && (await reader.cache.decode(previous));
    if (type === 'delete') {
      if (!before) throw tooOld(since, until);
      result.push(new CacheEvent('DELETED', before.at(kv.modRevision), before));
      continue;
    }
    const created = kv.createRevision === kv.modRevision;
    if (!created && !before) throw tooOld(since, until);
    result.push(
      new CacheEvent(created ? 'ADDED' : 'MODIFIED', await reader.cache.decode(kv), created ? undefined : before),
    );
  }
  return result;
}

function storeEvents({ store }: Reader, resource: ResourceCache, since: number, until: number): Promise<StoreEvent[]> {
  return new Promise((resolve, reject) => {
    const events: StoreEvent[] = [];
    const finish = (error?: unknown) => {
      clearTimeout(timer);
      watch.close();
      if (error === undefined) resolve(events);
      else reject(error instanceof CompactedError ? tooOld(since, error.compactRevision) : error);
    };
    const timer = setTimeout(() => finish(tooOld(since, until)), REPLAY_TIMEOUT_MS);
    const progress = (revision: number) => {
      // Never inside the call that opens the watch: `watch` is not there yet.
      if (revision >= until) queueMicrotask(() => finish());
    };
    const watch = store.watch({
      start: resource.prefix,
      end: prefixEnd(resource.prefix),
      startRevision: since,
      onEvents: (batch, revision) => {
        events.push(...batch);
        progress(revision);
      },
      onProgress: progress,
    });
    watch.done.catch(finish);
  });
}

export function tooOld(requested: number, oldest: number): StatusError {
  return expired(`too old resource version: ${requested} (${oldest})`);
}
