import type { KindDefinition } from '../../api/kind.ts';
import { internalError, isStatusError } from '../../apimachinery/status-error.ts';
import { bookmark, Notice } from '../watch-cache/cache-event.ts';
import type { Entry } from '../watch-cache/entry.ts';
import type { WatchSink } from '../watch-cache/watcher.ts';

/** How many objects a conversion webhook gets at once. */
const BATCH = 500;

/** Has a webhook convert all those that need it, in batches. */
export async function convertEntries(definition: KindDefinition, entries: readonly Entry[]): Promise<void> {
  const needed = entries.filter((entry) => entry.mustConvert(definition));
  for (let at = 0; at < needed.length; at += BATCH) {
    const batch = needed.slice(at, at + BATCH);
    const converted = await definition.storage!.convert!(batch.map((entry) => entry.object));
    for (const [index, entry] of batch.entries()) entry.setView(definition, converted[index]!);
  }
}

/** Converts the events of a watch of stored objects on their way to `sink`. */
export function convertingSink(definition: KindDefinition, sink: WatchSink): WatchSink {
  let closed = false;
  return {
    async deliver(notices) {
      try {
        const objects = notices.filter(({ type }) => type !== 'BOOKMARK').map(({ entry }) => entry);
        await convertEntries(definition, objects);
      } catch (error) {
        if (closed) return;
        closed = true;
        sink.close(isStatusError(error) ? error : internalError((error as Error).message));
        throw error;
      }
      if (closed) return;
      await sink.deliver(
        notices.map((notice) =>
          notice.type === 'BOOKMARK'
            ? bookmarkOf(notice, definition)
            : new Notice(notice.type, notice.entry.as(definition)),
        ),
      );
    },
    close(error) {
      if (closed) return;
      closed = true;
      sink.close(error);
    },
  };
}

function bookmarkOf({ entry }: Notice, definition: KindDefinition): Notice {
  const { annotations } = entry.object.metadata;
  return bookmark(definition, entry.revision, annotations?.['k8s.io/initial-events-end'] === 'true');
}
