/** Requests that are begun in one turn of the event loop. */
const AT_ONCE = 16;
/** So many of one connection that were given up before their turn are no accident. */
const FLOOD = 100;

export interface ArrivedRequest {
  /** Whether the client has given it up. */
  readonly over: boolean;
  begin(): void;
}

interface Waiting {
  readonly requests: ArrivedRequest[];
  next: number;
  givenUp: number;
}

/**
 * Begins requests when they come, unless they come in heaps: then a few in each turn of the event loop, connections one after
 * the other, and none that was given up meanwhile.
 */
export class RequestTurns<Connection extends object> {
  readonly #onFlood: (connection: Connection) => void;
  readonly #waiting = new Map<Connection, Waiting>();
  #begun = 0;
  #scheduled = false;

  /** `onFlood`: a connection makes requests only to give them up; what it has sent is forgotten. */
  constructor(onFlood: (connection: Connection) => void) {
    this.#onFlood = onFlood;
  }

  add(connection: Connection, request: ArrivedRequest): void {
    if (this.#begun < AT_ONCE && this.#waiting.size === 0) {
      // Over several turns, when they are few.
      if (++this.#begun > AT_ONCE / 2) this.#schedule();
      request.begin();
      return;
    }
    this.#schedule();
    let waiting = this.#waiting.get(connection);
    if (!waiting) {
      waiting = { requests: [], next: 0, givenUp: 0 };
      this.#waiting.set(connection, waiting);
    }
    waiting.requests.push(request);
    if (waiting.requests.length % FLOOD === 0) this.#weed(connection, waiting);
  }

  /** Forgets what waits of a connection that is gone. */
  forget(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  #weed(connection: Connection, waiting: Waiting): void {
    const left = waiting.requests.slice(waiting.next).filter(({ over }) => !over);
    waiting.givenUp += waiting.requests.length - waiting.next - left.length;
    waiting.requests.splice(0, waiting.requests.length, ...left);
    waiting.next = 0;
    if (waiting.givenUp < FLOOD) return;
    this.forget(connection);
    this.#onFlood(connection);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#begun = 0;
      this.#turn();
    });
  }

  #turn(): void {
    while (this.#waiting.size > 0 && this.#begun < AT_ONCE)
      for (const [connection, waiting] of this.#waiting) {
        const request = this.#next(connection, waiting);
        if (!request) continue;
        request.begin();
        if (++this.#begun >= AT_ONCE) break;
      }
    if (this.#waiting.size > 0) this.#schedule();
  }

  #next(connection: Connection, waiting: Waiting): ArrivedRequest | undefined {
    // Who had a turn is last in the next round.
    this.#waiting.delete(connection);
    while (waiting.next < waiting.requests.length) {
      const request = waiting.requests[waiting.next++]!;
      if (request.over) continue;
      if (waiting.next < waiting.requests.length) this.#waiting.set(connection, waiting);
      return request;
    }
    return undefined;
  }
}
