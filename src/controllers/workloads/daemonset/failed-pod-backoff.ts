const FIRST_MS = 1_000;
const LAST_MS = 15 * 60_000;

/** How often failed pods of one node may be replaced: after 1 s, 2 s, ... 15 min. */
export interface FailedPodBackoff {
  /** Ms to wait before the next replacement under `key`; 0 means now, and counts as done. */
  next(key: string, now: number): number;
}

export function createFailedPodBackoff(): FailedPodBackoff {
  const entries = new Map<string, { delayMs: number; since: number }>();
  return {
    next(key, now) {
      for (const [other, { since }] of entries) if (now - since > 2 * LAST_MS) entries.delete(other);
      const entry = entries.get(key);
      const left = entry ? entry.since + entry.delayMs - now : 0;
      if (left > 0) return left;
      entries.set(key, { delayMs: Math.min(entry ? entry.delayMs * 2 : FIRST_MS, LAST_MS), since: now });
      return 0;
    },
  };
}
