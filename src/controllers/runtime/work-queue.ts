/**
 * Keys to work on. A key waits in it at most once; a key that is added while it is worked on is given out again after
 * `done`, never to two workers at once.
 */
export interface WorkQueue {
  add(key: string): void;
  /** Adds after `ms`; of several calls for one key the earliest counts. */
  addAfter(key: string, ms: number): void;
  /** Adds after the key's backoff, which doubles with each call until `forget`. */
  addRateLimited(key: string): void;
  /** How often the key was rate limited since it was last forgotten. */
  retries(key: string): number;
  forget(key: string): void;
  /** The next key, or undefined once the queue is shut down. */
  next(): Promise<string | undefined>;
  /** Must follow each key from `next`. */
  done(key: string): void;
  /** Keys that wait, those with a delay left out. */
  readonly length: number;
  /** Ends the waiting of workers and all delays; keys added later are dropped. */
  shutDown(): void;
}

export interface WorkQueueOptions {
  /** First backoff of a key, 5 ms. */
  readonly baseDelayMs?: number;
  /** Longest backoff of a key, 1,000 s. */
  readonly maxDelayMs?: number;
}

export function createWorkQueue(options: WorkQueueOptions = {}): WorkQueue {
  const baseDelayMs = options.baseDelayMs ?? 5;
  const maxDelayMs = options.maxDelayMs ?? 1_000_000;
  /** Ready keys in order; a key's presence in `dirty` says that it is meant. */
  let ready: string[] = [];
  let head = 0;
  const dirty = new Set<string>();
  const processing = new Set<string>();
  const failures = new Map<string, number>();
  const delayed = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  const idle: ((key: string | undefined) => void)[] = [];
  let stopped = false;

  function offer(key: string): void {
    const worker = idle.shift();
    if (worker) {
      take(key);
      worker(key);
    } else ready.push(key);
  }
  function take(key: string): void {
    dirty.delete(key);
    processing.add(key);
  }

  const queue: WorkQueue = {
    add(key) {
      if (stopped || dirty.has(key)) return;
      dirty.add(key);
      if (!processing.has(key)) offer(key);
    },
    addAfter(key, ms) {
      if (stopped) return;
      if (ms <= 0) return queue.add(key);
      const at = performance.now() + ms;
      const earlier = delayed.get(key);
      if (earlier && earlier.at <= at) return;
      if (earlier) clearTimeout(earlier.timer);
      const fire = () => {
        delayed.delete(key);
        queue.add(key);
      };
      // setTimeout takes 31 bits; a longer wait comes in pieces.
      const timer =
        ms > MAX_TIMEOUT_MS
          ? setTimeout(() => {
              delayed.delete(key);
              queue.addAfter(key, ms - MAX_TIMEOUT_MS);
            }, MAX_TIMEOUT_MS)
          : setTimeout(fire, ms);
      timer.unref?.();
      delayed.set(key, { timer, at });
    },
    addRateLimited(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      queue.addAfter(key, Math.min(baseDelayMs * 2 ** count, maxDelayMs));
    },
    retries: (key) => failures.get(key) ?? 0,
    forget: (key) => void failures.delete(key),
    next() {
      if (stopped) return Promise.resolve(undefined);
      const key = ready[head];
      if (key === undefined) return new Promise((resolve) => idle.push(resolve));
      head++;
      if (head > 1_024 && head * 2 > ready.length) {
        ready = ready.slice(head);
        head = 0;
      }
      take(key);
      return Promise.resolve(key);
    },
    done(key) {
      processing.delete(key);
      if (dirty.has(key) && !stopped) offer(key);
    },
    get length() {
      return ready.length - head;
    },
    shutDown() {
      stopped = true;
      for (const { timer } of delayed.values()) clearTimeout(timer);
      delayed.clear();
      for (const worker of idle.splice(0)) worker(undefined);
    },
  };
  return queue;
}

const MAX_TIMEOUT_MS = 2_147_483_647;
