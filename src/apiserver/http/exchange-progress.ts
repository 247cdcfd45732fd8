import type { FlowClass } from '../request/flow-control.ts';
import type { RequestProgress } from '../request/request-progress.ts';

/** What an exchange knows of its request: its deadline, its flow, and what it holds until its answer is written. */
export class ExchangeProgress implements RequestProgress {
  readonly #expire: () => void;
  #limitMs: number;
  #timer: NodeJS.Timeout;
  #abort: AbortController | undefined;
  #end: ((code: number, sentBytes: number) => void) | undefined;
  flow: FlowClass | undefined;
  /** Whether it has to be done in time, whatever its answer is. */
  bounded = false;
  expired = false;

  constructor(limitMs: number, expire: () => void) {
    this.#expire = () => {
      this.expired = true;
      expire();
      this.#abort?.abort();
    };
    this.#limitMs = limitMs;
    this.#timer = setTimeout(this.#expire, limitMs);
  }

  /** Aborted with `signal`, and when the time is over. */
  boundedBy(signal: AbortSignal): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.expired) this.#abort.abort();
    return AbortSignal.any([signal, this.#abort.signal]);
  }

  classified(flow: FlowClass): void {
    this.flow = flow;
  }

  limited(timeoutMs: number): void {
    this.bounded = true;
    if (timeoutMs >= this.#limitMs) return;
    this.#limitMs = timeoutMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#expire, timeoutMs);
  }

  holding(end: (code: number, sentBytes: number) => void): void {
    this.#end = end;
  }

  end(code: number, sentBytes: number): void {
    const end = this.#end;
    this.#end = undefined;
    end?.(code, sentBytes);
  }

  stopClock(): void {
    clearTimeout(this.#timer);
  }
}
