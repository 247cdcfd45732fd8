import { setImmediate as nextTurn } from 'node:timers/promises';

/** Calls under way at a time: in the process each takes about a millisecond of the event loop, and all go in step. */
const PARALLEL = 8;
const SLICE_MS = 4;

/** Does all the work whatever fails, and lets others have the event loop. Throws the first failure at the end. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  let since = performance.now();
  const worker = async () => {
    while (next < items.length) {
      const item = items[next++] as T;
      await work(item).catch((error: unknown) => void failures.push(error));
      if (performance.now() - since < SLICE_MS) continue;
      await nextTurn();
      since = performance.now();
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}

/**
 * Works in batches of 1, 2, 4, ... and stops after the first batch with a failure, so that an owner whose pods can't be
 * made does not flood the API server. Throws the first failure.
 */
export async function slowStart<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let done = 0, size = 1; done < items.length; done += size, size *= 2)
    await inParallel(items.slice(done, done + size), work);
}
