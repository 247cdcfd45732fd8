/**
 * Waits that double per key: 10 s to 5 min for crashing containers and failing pulls. A key that is quiet for twice the
 * longest wait starts over.
 */
export interface RestartBackoff {
  /**
   * When the key may be tried again, if that is still to come, else `undefined`. The wait counts from `since` (epoch
   * milliseconds), or from the last try.
   */
  waitUntil(key: string, since?: number): number | undefined;
  /** The wait that holds for the key now, in milliseconds. */
  delay(key: string): number;
  /** Notes another try: the next wait is longer. `since` is when what is tried again ended. */
  next(key: string, since?: number): void;
  forget(key: string): void;
}

export function createRestartBackoff(options: { firstMs: number; lastMs: number; now: () => number }): RestartBackoff {
  const entries = new Map<string, { delay: number; updatedAt: number }>();
  const current = (key: string, since: number) => {
    const entry = entries.get(key);
    return entry && since - entry.updatedAt <= options.lastMs * 2 ? entry : undefined;
  };
  return {
    waitUntil(key, since) {
      const now = options.now();
      const entry = current(key, since ?? now);
      if (!entry) return undefined;
      const end = (since ?? entry.updatedAt) + entry.delay;
      return end > now ? end : undefined;
    },
    delay: (key) => entries.get(key)?.delay ?? 0,
    next(key, since) {
      const now = options.now();
      const entry = current(key, since ?? now);
      entries.set(key, { delay: entry ? Math.min(entry.delay * 2, options.lastMs) : options.firstMs, updatedAt: now });
    },
    forget(key) {
      entries.delete(key);
    },
  };
}
