import type { Notice } from '../watch-cache/cache-event.ts';
import { isTrue } from './request-info.ts';
import type { Result } from './result.ts';

/** `release`, whatever is called how often. */
export function once(release: () => void): () => void {
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    release();
  };
}

/**
 * `result`, which gives its seats back when the watch has begun: at once, or when the objects that it begins with are sent.
 * `begun` may be called more than once.
 */
export function seatedUntilBegun(result: Result, query: URLSearchParams, begun: () => void): Result {
  if (result.type !== 'watch' || !isTrue(query.get('sendInitialEvents')) || !isTrue(query.get('allowWatchBookmarks'))) {
    begun();
    return result;
  }
  let waiting = true;
  return {
    ...result,
    open: (sink) =>
      result.open({
        deliver(batch) {
          const sent = sink.deliver(batch);
          // Until then there is no other bookmark.
          if (waiting && batch.notices.some(isBookmark)) {
            waiting = false;
            begun();
          }
          return sent;
        },
        close: (error) => sink.close(error),
      }),
  };
}

const isBookmark = ({ type }: Notice) => type === 'BOOKMARK';
