import { tooManyRequestsText } from './plain-text-error.ts';
import type { RequestInfo } from './request-info.ts';

export interface InFlightLimits {
  readonly readOnly: number;
  readonly mutating: number;
}

const longRunningSubresources = new Set(['attach', 'exec', 'portforward', 'proxy', 'log']);

/** Watches, streams, logs and proxied requests may take any time and hold no seat. */
export function isLongRunning(info: RequestInfo): boolean {
  return info.verb === 'watch' || info.verb === 'proxy' || longRunningSubresources.has(info.subresource);
}

/** Bounds how many requests are worked on at once; the rest get 429 and come again. */
export class InFlight {
  readonly #limits: InFlightLimits;
  #readOnly = 0;
  #mutating = 0;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  get counts(): { readOnly: number; mutating: number } {
    return { readOnly: this.#readOnly, mutating: this.#mutating };
  }

  /** Returns the release of the seat. `admitted`: somebody else bounds them, and they are only counted. */
  enter(verb: string, admitted = false): () => void {
    const readOnly = verb === 'get' || verb === 'list' || verb === 'watch' || verb === 'head';
    if (!admitted && (readOnly ? this.#readOnly >= this.#limits.readOnly : this.#mutating >= this.#limits.mutating))
      throw tooManyRequestsText(1);
    if (readOnly) this.#readOnly++;
    else this.#mutating++;
    return () => {
      if (readOnly) this.#readOnly--;
      else this.#mutating--;
    };
  }
}
