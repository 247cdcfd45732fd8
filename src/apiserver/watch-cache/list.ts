import type { KindDefinition } from '../../api/kind.ts';
import { FieldPath, forbiddenField, notSupported } from '../../apimachinery/field.ts';
import { badRequest, expired, invalid } from '../../apimachinery/status-error.ts';
import { CompactedError, FutureRevisionError, type Store } from '../../store/store.ts';
import { type ContinueToken, continueExpired, decodeContinue, encodeContinue } from './continue-token.ts';
import { convertEntries } from './convert-entries.ts';
import type { Entry } from './entry.ts';
import type { Selection } from './filter.ts';
import { keyRange, type ResourceCache } from './resource-cache.ts';
import type { WatchCache } from './watch-cache.ts';

/** The query of a list or watch, as far as it is about time and pages. */
export interface ReadOptions {
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
  /** 0: no limit. */
  readonly limit: number;
  readonly continue?: string;
}

export interface Listing {
  /** In the stored version; `as(definition)` gives the served one. */
  readonly entries: readonly Entry[];
  readonly revision: number;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface Reader {
  readonly cache: WatchCache;
  readonly store: Store;
}

export function parseRevision(text: string): number {
  const failure = (why: string) => {
    const given = JSON.stringify(text);
    return badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${given}: strconv.ParseUint: parsing ${given}: ${why}`,
    );
  };
  if (!/^\d+$/.test(text)) throw failure('invalid syntax');
  const revision = Number(text);
  if (!Number.isSafeInteger(revision)) throw failure('value out of range');
  return revision;
}

/** A list as of now, of some moment at or after `resourceVersion`, or exactly of it; whole or by pages of one moment. */
export async function list(
  reader: Reader,
  definition: KindDefinition,
  selection: Selection,
  options: ReadOptions,
): Promise<Listing> {
  validate(options);
  const { cache } = reader;
  const resource = cache.for(definition);
  const unread = readable(cache, definition, selection);
  if (unread) await unread;
  if (options.continue) return nextPage(reader, resource, definition, selection, options);
  const requested = options.resourceVersion ? parseRevision(options.resourceVersion) : undefined;
  if (requested === undefined) await cache.fresh();
  else if (requested > 0) {
    const exact =
      options.resourceVersionMatch === 'Exact' ||
      (options.limit > 0 && options.resourceVersionMatch !== 'NotOlderThan');
    await cache.waitFor(requested);
    if (exact)
      return pageAt(reader, resource, definition, selection, { revision: requested, start: '' }, options.limit);
  }
  if (selection.filtered) await selectable(resource, definition);
  return currentPage(resource, definition, selection, '', cache.revision, options.limit);
}

/** As `WatchCache.readable`, for what a selection may find. */
export function readable(
  cache: WatchCache,
  definition: KindDefinition,
  { namespace, name }: Selection,
): Promise<void> | undefined {
  return cache.readable(cache.for(definition), namespace, definition.namespaced && namespace === '' ? '' : name);
}

async function nextPage(
  reader: Reader,
  resource: ResourceCache,
  definition: KindDefinition,
  selection: Selection,
  options: ReadOptions,
): Promise<Listing> {
  const token = decodeContinue(options.continue!);
  if (options.resourceVersion && options.resourceVersion !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
  if (token.revision >= 0) return pageAt(reader, resource, definition, selection, token, options.limit);
  await reader.cache.fresh();
  await selectable(resource, definition);
  return currentPage(resource, definition, selection, token.start, reader.cache.revision, options.limit);
}

/** Resolves when every object there is can be selected by its content: as the definition serves it, when a webhook converts. */
async function selectable(resource: ResourceCache, definition: KindDefinition): Promise<void> {
  await resource.parsed();
  if (!definition.storage?.convert) return;
  // More may have come in while a webhook was asked.
  while (resource.keys().some((entry) => entry.mustConvert(definition)))
    await convertEntries(definition, resource.keys());
}

/** The list from `token.start` on as it was at `token.revision`. */
async function pageAt(
  reader: Reader,
  resource: ResourceCache,
  definition: KindDefinition,
  selection: Selection,
  token: ContinueToken,
  limit: number,
): Promise<Listing> {
  const { revision, start } = token;
  if (selection.filtered) await selectable(resource, definition);
  if (resource.changedAt <= revision && revision <= reader.cache.revision && resource.deletedBefore(revision))
    return currentPage(resource, definition, selection, start, revision, limit);
  const pinned = resource.pinned(revision);
  if (pinned) {
    const range = keyRange(selection.namespace, start);
    if (selects(definition, selection)) {
      const entries = pinned.range(...range);
      if (selection.filtered) await convertEntries(definition, entries);
      return page(entries.filter(selectedBy(definition, selection)), revision, limit, undefined);
    }
    return page(pinned.range(...range, limit > 0 ? limit + 1 : undefined), revision, limit, pinned.count(...range));
  }
  return pageFromStore(reader, resource, definition, selection, token, limit);
}

async function pageFromStore(
  { store, cache }: Reader,
  resource: ResourceCache,
  definition: KindDefinition,
  selection: Selection,
  token: ContinueToken,
  limit: number,
): Promise<Listing> {
  const { revision } = token;
  const [from, to] = keyRange(selection.namespace, token.start);
  const selected = selectedBy(definition, selection);
  const end = resource.prefix + to || '';
  const entries: Entry[] = [];
  let start = resource.prefix + from;
  try {
    for (;;) {
      const range = await store.range({
        start,
        end: to ? end : `${resource.prefix.slice(0, -1)}0`,
        revision,
        limit: limit > 0 ? Math.max(limit + 1, 500) : 1000,
      });
      for (const kv of range.kvs) {
        const entry = await cache.decode(kv);
        if (selection.filtered) await entry.prepare(definition);
        if (selected(entry)) entries.push(entry);
        if (limit > 0 && entries.length > limit) break;
      }
      const last = range.kvs[range.kvs.length - 1];
      if (!range.more || !last || (limit > 0 && entries.length > limit)) {
        const cut = limit > 0 && entries.length > limit;
        return {
          entries: cut ? entries.slice(0, limit) : entries,
          revision,
          ...(cut ? { continue: encodeContinue({ revision, start: entries[limit]!.key }) } : {}),
          ...(cut && !selects(definition, selection) ? { remainingItemCount: range.count - limit } : {}),
        };
      }
      start = `${last.key}\0`;
    }
  } catch (error) {
    if (error instanceof CompactedError) {
      if (token.start) throw continueExpired(token);
      throw expired(`The resourceVersion for the provided list is too old.`);
    }
    if (error instanceof FutureRevisionError) throw badRequest('continue key is not valid: revision is in the future');
    throw error;
  }
}

/** A page of what is current, which further pages then go on from. */
function currentPage(
  resource: ResourceCache,
  definition: KindDefinition,
  selection: Selection,
  start: string,
  revision: number,
  limit: number,
): Listing {
  const result =
    limit <= 0 || selects(definition, selection)
      ? page(resource.select(definition, selection, start), revision, limit, undefined)
      : plainPage(resource, selection.namespace, start, revision, limit);
  if (result.continue) resource.pin(revision);
  return result;
}

function plainPage(
  resource: ResourceCache,
  namespace: string,
  start: string,
  revision: number,
  limit: number,
): Listing {
  const { entries, count } = resource.page(namespace, start, limit + 1);
  return page(entries, revision, limit, count);
}

/** `count`: how many there are from the first entry on, if that may be told. */
function page(entries: readonly Entry[], revision: number, limit: number, count: number | undefined): Listing {
  if (limit <= 0 || entries.length <= limit) return { entries, revision };
  return {
    entries: entries.slice(0, limit),
    revision,
    continue: encodeContinue({ revision, start: entries[limit]!.key }),
    ...(count === undefined ? {} : { remainingItemCount: count - limit }),
  };
}

function selects(definition: KindDefinition, selection: Selection): boolean {
  return selection.filtered || (selection.name !== undefined && (definition.namespaced || selection.namespace === ''));
}

function selectedBy(definition: KindDefinition, selection: Selection): (entry: Entry) => boolean {
  if (!selects(definition, selection)) return () => true;
  return (entry) =>
    selection.matches(entry) && (selection.name === undefined || entry.object.metadata.name === selection.name);
}

const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };

function validate({ resourceVersion, resourceVersionMatch, continue: token }: ReadOptions): void {
  if (!resourceVersionMatch) return;
  const path = FieldPath.of('resourceVersionMatch');
  const fail = (detail: string) => invalid(LIST_OPTIONS, '', [forbiddenField(path, detail)]);
  if (token) throw fail('resourceVersionMatch is forbidden when continue is provided');
  if (!resourceVersion) throw fail('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (resourceVersionMatch !== 'Exact' && resourceVersionMatch !== 'NotOlderThan')
    throw invalid(LIST_OPTIONS, '', [notSupported(path, resourceVersionMatch, ['Exact', 'NotOlderThan', ''])]);
  if (resourceVersionMatch === 'Exact' && resourceVersion === '0')
    throw fail('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
}
