import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Tells whose error it is when a timer, socket or promise of a plugin throws outside any call. Node would end the process:
 * a plugin's error ends the plugin alone. Errors of everybody else go on as they would without this.
 */
export class StrayErrors {
  readonly #owner = new AsyncLocalStorage<(error: unknown) => void>();
  #listening = false;

  readonly #onError = (error: unknown): void => {
    const crashed = this.#owner.getStore();
    if (crashed) {
      crashed(error);
      return;
    }
    const others = process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection') > 2;
    if (others) return;
    this.stop();
    // Thrown anew with nobody listening: Node prints it and ends the process.
    setImmediate(() => {
      throw error;
    });
  };

  start(): void {
    if (this.#listening) return;
    this.#listening = true;
    process.on('uncaughtException', this.#onError);
    process.on('unhandledRejection', this.#onError);
  }

  stop(): void {
    this.#listening = false;
    process.off('uncaughtException', this.#onError);
    process.off('unhandledRejection', this.#onError);
  }

  /** Runs a call whose later errors go to `crashed`. */
  run<T>(crashed: (error: unknown) => void, call: () => T): T {
    return this.#owner.run(crashed, call);
  }
}
