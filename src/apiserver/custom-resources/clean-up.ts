import type { KindDefinition } from '../../api/kind.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';

const WORKERS = 8;
/** How long objects with finalizers are waited for before they are looked at again. */
const ROUND_MS = 5000;

/** Deletes all objects of a kind and waits until they are gone. */
export async function removeObjects(
  cache: WatchCache,
  transport: Transport,
  kind: KindDefinition,
  signal: AbortSignal,
): Promise<void> {
  const resource = cache.for(kind);
  for (;;) {
    const waiting = cache.fresh();
    if (waiting) await waiting;
    if (resource.size === 0) return;
    const pending = resource.keys().filter((entry) => !entry.object.metadata.deletionTimestamp);
    let next = 0;
    const work = async () => {
      for (let entry = pending[next++]; entry && !signal.aborted; entry = pending[next++])
        await remove(entry.object.metadata.name, entry.object.metadata.namespace);
    };
    await Promise.all(Array.from({ length: Math.min(WORKERS, pending.length) }, work));
    signal.throwIfAborted();
    if (resource.size > 0) await changeOf(signal);
  }

  async function remove(name: string, namespace: string | undefined): Promise<void> {
    const { group, version, resource: plural } = kind;
    const within = namespace ? `namespaces/${encodeURIComponent(namespace)}/` : '';
    const path = `/apis/${group}/${version}/${within}${plural}/${encodeURIComponent(name)}`;
    try {
      await transport.request({ method: 'DELETE', path, signal });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  /** Resolves when one of the objects goes, or after a while. */
  function changeOf(aborted: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        stop();
        aborted.removeEventListener('abort', fail);
      };
      const done = () => {
        end();
        resolve();
      };
      const fail = () => {
        end();
        reject(aborted.reason);
      };
      const timer = setTimeout(done, ROUND_MS);
      const stop = resource.listen({ upsert: () => {}, remove: () => setImmediate(done) });
      aborted.addEventListener('abort', fail, { once: true });
    });
  }
}
