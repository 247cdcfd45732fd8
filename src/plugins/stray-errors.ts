import { AsyncLocalStorage } from 'node:async_hooks';

type ErrorEvent = 'uncaughtException' | 'unhandledRejection';

/** Whose call is under way, for all hosts in the process: where errors of it go. */
const owner = new AsyncLocalStorage<(error: unknown) => void>();

/** Tells the listeners of all hosts in the process from those of others. */
const OURS = Symbol.for('k8ts/stray-errors');

/**
 * Tells whose error it is when a timer, socket or promise of a plugin throws outside any call. Node would end the process:
 * a plugin's error ends the plugin alone. Errors of everybody else go on as they would without this.
 */
export class StrayErrors {
  readonly #onException = this.#listener('uncaughtException');
  readonly #onRejection = this.#listener('unhandledRejection');
  #listening = false;

  start(): void {
    if (this.#listening) return;
    this.#listening = true;
    process.on('uncaughtException', this.#onException);
    process.on('unhandledRejection', this.#onRejection);
  }

  stop(): void {
    this.#listening = false;
    process.off('uncaughtException', this.#onException);
    process.off('unhandledRejection', this.#onRejection);
  }

  /** Runs a call whose later errors go to `crashed`. */
  run<T>(crashed: (error: unknown) => void, call: () => T): T {
    return owner.run(crashed, call);
  }

  #listener(event: ErrorEvent): (error: unknown) => void {
    const listener = (error: unknown): void => {
      const listeners = process.listeners(event as 'uncaughtException');
      // One of several hosts deals with it.
      if (listeners.findIndex((other) => OURS in other) !== listeners.indexOf(listener)) return;
      const crashed = owner.getStore();
      if (crashed) {
        crashed(error);
        return;
      }
      if (listeners.some((other) => !(OURS in other))) return;
      // Nobody else listens: the error is thrown anew, and with the last of our listeners gone Node ends the process by it.
      if (event === 'uncaughtException') this.stop();
      setImmediate(() => {
        throw error;
      });
    };
    return Object.assign(listener, { [OURS]: true });
  }
}
