import type { KindDefinition } from '../../api/kind.ts';
import { internalError, isStatusError } from '../../apimachinery/status-error.ts';
import { Batch, bookmark, Notice } from '../watch-cache/cache-event.ts';
import { convertEntries } from '../watch-cache/convert-entries.ts';
import type { Entry } from '../watch-cache/entry.ts';
import type { Selection } from '../watch-cache/filter.ts';
import type { WatchSink } from '../watch-cache/watcher.ts';

/**
 * Converts the events of a watch of stored objects on their way to `sink`, and selects among them by what they are
 * converted to. When a webhook fails the watch ends with its error.
 */
export function convertingSink(definition: KindDefinition, selection: Selection, sink: WatchSink): WatchSink {
  let closed = false;
  return {
    async deliver({ notices }) {
      try {
        await convertEntries(definition, notices.flatMap(entriesOf));
      } catch (error) {
        if (closed) return;
        closed = true;
        sink.close(isStatusError(error) ? error : internalError((error as Error).message));
        throw error;
      }
      if (closed) return;
      const converted = notices.flatMap((notice) => convertedNotice(notice) ?? []);
      if (converted.length) await sink.deliver(new Batch(converted));
    },
    close(error) {
      if (closed) return;
      closed = true;
      sink.close(error);
    },
  };

  function entriesOf({ type, entry, previous }: Notice): readonly Entry[] {
    if (type === 'BOOKMARK') return [];
    return previous && selection.filtered ? [entry, previous] : [entry];
  }

  /** `undefined`: it is not, and was not, among the selected. */
  function convertedNotice(notice: Notice): Notice | undefined {
    const { type, entry, previous } = notice;
    if (type === 'BOOKMARK') return bookmarkOf(notice, definition);
    if (!selection.filtered) return new Notice(type, entry.as(definition));
    const now = type !== 'DELETED' && selection.matches(entry);
    const before = previous !== undefined && selection.matches(previous);
    if (now) return new Notice(before ? 'MODIFIED' : 'ADDED', entry.as(definition));
    if (!before) return undefined;
    return new Notice('DELETED', (type === 'DELETED' ? entry : previous).as(definition).at(entry.revision));
  }
}

function bookmarkOf({ entry }: Notice, definition: KindDefinition): Notice {
  const { annotations } = entry.object.metadata;
  return bookmark(definition, entry.revision, annotations?.['k8s.io/initial-events-end'] === 'true');
}
