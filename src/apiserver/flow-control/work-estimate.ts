import { isTrue, type RequestInfo } from '../request/request-info.ts';

/** What is known of a resource's stored objects. */
export interface StoredObjects {
  readonly count: number;
  readonly averageBytes: number;
}

const BYTES_PER_SEAT = 100_000;
/** Lists are sent in pieces: no more of one is in memory at once. */
const MAX_LIST_BYTES = 1_000_000;

/**
 * How many seats a request takes: lists, and watches that begin with a list, are as wide as what they have in memory; all others
 * take one. `stored` is asked of those alone.
 */
export function estimateSeats(
  { verb, name, subresource, group, resource }: RequestInfo,
  query: URLSearchParams,
  maxSeats: number,
  stored: (group: string, resource: string) => StoredObjects,
): number {
  if (verb !== 'list' && verb !== 'watch') return 1;
  if (name !== '' || subresource !== '') return 1;
  if (verb === 'watch' && !isTrue(query.get('sendInitialEvents'))) return 1;
  const { count, averageBytes } = stored(group, resource);
  const limit = Number(query.get('limit') ?? 0);
  const loaded = limit > 0 && limit < count ? limit : count;
  const bytes = Math.min(loaded * averageBytes, MAX_LIST_BYTES);
  return Math.max(1, Math.min(maxSeats, Math.ceil(bytes / BYTES_PER_SEAT)));
}
