import type { KindDefinition } from '../../api/kind.ts';
import { Batch, type CacheEvent, type Notice } from './cache-event.ts';
import { namespaceOfKey } from './entry.ts';
import type { Selection } from './filter.ts';
import type { Watcher } from './watcher.ts';

/** All watches of one selection: an event is matched once for all of them, and encoded once. */
export class Feed {
  readonly definition: KindDefinition;
  readonly selection: Selection;
  readonly #watchers = new Set<Watcher>();
  readonly #schedule: (feed: Feed) => void;
  #notices: Notice[] = [];

  constructor(definition: KindDefinition, selection: Selection, schedule: (feed: Feed) => void) {
    this.definition = definition;
    this.selection = selection;
    this.#schedule = schedule;
  }

  get watchers(): ReadonlySet<Watcher> {
    return this.#watchers;
  }

  /** It is told of events from now on. */
  add(watcher: Watcher): void {
    this.distribute();
    this.#watchers.add(watcher);
  }

  delete(watcher: Watcher): boolean {
    return this.#watchers.delete(watcher);
  }

  offer(event: CacheEvent): void {
    const notice = noticeOf(event, this.definition, this.selection);
    if (notice && this.#notices.push(notice) === 1) this.#schedule(this);
  }

  /** Gives the watchers what has come in since the last time. */
  distribute(): void {
    if (this.#notices.length === 0) return;
    const batch = new Batch(this.#notices, true);
    this.#notices = [];
    for (const watcher of this.#watchers) watcher.take(batch);
  }
}

/** What a watch of `selection` is told of the event, if anything. */
export function noticeOf(event: CacheEvent, definition: KindDefinition, selection: Selection): Notice | undefined {
  const { namespace, name, filtered } = selection;
  if (namespace !== '' && namespaceOfKey(event.entry.key) !== namespace) return undefined;
  if (name !== undefined && event.entry.object.metadata.name !== name) return undefined;
  if (!filtered) return event.notice(event.type, definition);
  const now = event.type !== 'DELETED' && selection.matches(event.entry);
  const before = event.previous !== undefined && selection.matches(event.previous);
  if (!now && !before) return undefined;
  return event.notice(now ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED', definition);
}
