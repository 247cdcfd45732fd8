import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';

/** Changes are told by the file system; this is for those that are not, and for the container's end. */
const CHECK_MS = 500;

/** Wakes whoever follows a file. */
export class Changes {
  readonly #watcher: FSWatcher | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal;
  readonly #wakeUp = () => this.#changed();
  #wake: (() => void) | undefined;
  #pending = false;

  constructor(path: string, signal: AbortSignal) {
    this.#signal = signal;
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, this.#wakeUp);
      this.#watcher.on('error', () => undefined);
    } catch {
      // The timer has to do: too many watches, or the directory is gone.
    }
    this.#timer = setInterval(this.#wakeUp, CHECK_MS);
    this.#timer.unref();
    signal.addEventListener('abort', this.#wakeUp);
  }

  async next(): Promise<void> {
    if (!this.#pending && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#pending = false;
  }

  stop(): void {
    this.#watcher?.close();
    clearInterval(this.#timer);
    this.#signal.removeEventListener('abort', this.#wakeUp);
  }

  #changed(): void {
    this.#pending = true;
    this.#wake?.();
  }
}
