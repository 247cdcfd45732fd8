/** Runs `work` for each item, at most `limit` at a time. The first error is thrown after all have ended. */
export async function forEachParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const errors: unknown[] = [];
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next())
      try {
        await work(next.value);
      } catch (error) {
        errors.push(error);
      }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (errors.length > 0) throw errors[0];
}

/** Does nothing but swallow a 404: what is to be deleted is gone already. */
export function ignoreNotFound(error: unknown): undefined {
  if ((error as { code?: unknown } | undefined)?.code === 404) return undefined;
  throw error;
}
