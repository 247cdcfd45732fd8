import type { Logger } from '../../apimachinery/logger.ts';
import type { Store } from '../../store/store.ts';
import type { WatchCache } from './watch-cache.ts';

/** Forgets history that is at least one interval and at most two old. */
export class Compactor {
  readonly #store: Store;
  readonly #cache: WatchCache;
  readonly #logger: Logger;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #previous: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: { store: Store; cache: WatchCache; logger: Logger; intervalMs: number }) {
    this.#store = options.store;
    this.#cache = options.cache;
    this.#logger = options.logger;
    this.#intervalMs = options.intervalMs;
  }

  start(): void {
    this.#previous = this.#cache.revision;
    this.#timer = setInterval(() => {
      this.#running ??= this.#compact().finally(() => {
        this.#running = undefined;
      });
    }, this.#intervalMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #compact(): Promise<void> {
    const upTo = this.#previous;
    this.#previous = this.#cache.revision;
    if (!upTo) return;
    for (const resource of this.#cache.resources()) resource.forgetSnapshots(upTo);
    try {
      await this.#store.compact(upTo);
    } catch (error) {
      this.#logger.warn({ err: error, revision: upTo }, 'the history could not be compacted');
    }
  }
}
