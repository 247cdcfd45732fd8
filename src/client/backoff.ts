export interface Backoff {
  /** Milliseconds to wait before the next try; grows with every call. */
  next(): number;
  reset(): void;
}

/** Exponential, with jitter of 0.5 to 1.5 so that many clients of a restarted server don't return at once. */
export function createBackoff(options: { baseMs: number; maxMs: number; random?: () => number }): Backoff {
  const random = options.random ?? Math.random;
  let delay = options.baseMs;
  return {
    next() {
      const wait = delay * (0.5 + random());
      delay = Math.min(delay * 2, options.maxMs);
      return wait;
    },
    reset() {
      delay = options.baseMs;
    },
  };
}

/** Resolves after `ms`, or at once when `signal` is aborted. The timer does not keep the process alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    timer.unref?.();
    signal.addEventListener('abort', finish, { once: true });
  });
}
