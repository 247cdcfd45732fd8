import type { KindDefinition } from '../../api/kind.ts';
import { FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import { internalError, invalid, isStatusError, type StatusError } from '../../apimachinery/status-error.ts';
import { Batch, bookmark, type CacheEvent } from './cache-event.ts';
import type { Entry } from './entry.ts';
import { noticeOf } from './feed.ts';
import type { Selection } from './filter.ts';
import { parseRevision, type Reader, readable } from './list.ts';
import type { ResourceCache } from './resource-cache.ts';
import { replay, tooOld } from './watch-replay.ts';
import { Watcher, type WatchSink } from './watcher.ts';

export interface WatchOptions {
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutMs: number;
}

export interface RunningWatch {
  stop(): void;
}

/** How long before its end a watch gets a last bookmark. */
const LAST_BOOKMARK_MS = 2000;

/** Checks what can be refused with a plain HTTP error, before a watch begins. */
export function validateWatchOptions(options: WatchOptions): void {
  const fail = (field: string, detail: string) =>
    invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [forbiddenField(FieldPath.of(field), detail)]);
  if (options.resourceVersion) parseRevision(options.resourceVersion);
  if (options.sendInitialEvents === undefined) {
    if (options.resourceVersionMatch)
      throw fail(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    return;
  }
  if (options.resourceVersionMatch !== 'NotOlderThan')
    throw fail('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
}

/**
 * Starts a watch; what happens goes to `sink`, failures included (`410 Expired` for a revision that is gone). The
 * receiver sees every change after its starting revision once and in order.
 */
export function watch(
  reader: Reader,
  definition: KindDefinition,
  selection: Selection,
  options: WatchOptions,
  sink: WatchSink,
): RunningWatch {
  const { cache } = reader;
  const resource = cache.for(definition);
  const watcher = new Watcher(definition, selection, options.allowWatchBookmarks, sink, cache.schedule);
  const timers = [setTimeout(() => watcher.close(), options.timeoutMs)];
  if (options.allowWatchBookmarks && options.timeoutMs > 2 * LAST_BOOKMARK_MS)
    timers.push(setTimeout(() => watcher.offerBookmark(cache.revision), options.timeoutMs - LAST_BOOKMARK_MS));
  watcher.onClose = () => {
    for (const timer of timers) clearTimeout(timer);
    resource.unsubscribe(watcher);
  };
  begin(reader, resource, watcher, options).catch((error: unknown) => watcher.close(asStatusError(error)));
  return { stop: () => watcher.stop() };
}

async function begin(reader: Reader, resource: ResourceCache, watcher: Watcher, options: WatchOptions): Promise<void> {
  const { cache } = reader;
  const { definition, selection } = watcher;
  const since = options.resourceVersion ? parseRevision(options.resourceVersion) : undefined;
  const unread = readable(cache, definition, selection);
  if (unread) await unread;
  if (selection.filtered) await resource.parsed();
  if (options.sendInitialEvents === true || (options.sendInitialEvents === undefined && !since)) {
    if (since === undefined) await cache.fresh();
    else if (since > 0) await cache.waitFor(since);
    const initial = resource.select(definition, selection);
    subscribe(resource, watcher);
    const end = options.sendInitialEvents && watcher.bookmarks ? bookmark(definition, cache.revision, true) : undefined;
    await watcher.begin(initial, end);
    return;
  }
  if (since === undefined || since === 0) {
    await cache.fresh();
    subscribe(resource, watcher);
    await watcher.begin([], undefined);
    return;
  }
  await resume(reader, resource, watcher, since);
}

async function resume(reader: Reader, resource: ResourceCache, watcher: Watcher, since: number): Promise<void> {
  let missed: CacheEvent[] = [];
  let from = since;
  if (since < resource.history.base) {
    const until = reader.cache.revision;
    if (resource.changedAt > since || !resource.deletedBefore(since))
      missed = await replay(reader, resource, since, until);
    from = Math.max(until, since);
    // History may have moved on during the replay; then the client starts over.
    if (from < resource.history.base) throw tooOld(since, resource.history.base);
  }
  const { definition, selection } = watcher;
  const events = [...missed, ...resource.history.after(from)];
  watcher.take(new Batch(events.flatMap((event) => noticeOf(event, definition, selection) ?? [])));
  subscribe(resource, watcher, since);
  await watcher.begin([] as Entry[], undefined);
}

function subscribe(resource: ResourceCache, watcher: Watcher, since = 0): void {
  if (watcher.closed) return;
  watcher.ignoreUpTo(since);
  resource.subscribe(watcher);
}

function asStatusError(error: unknown): StatusError {
  return isStatusError(error) ? error : internalError(error instanceof Error ? error.message : String(error));
}
