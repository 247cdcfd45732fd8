import { createHash } from 'node:crypto';
import type { PriorityLevelConfigurationSpec } from '../../api/types/flowcontrol.v1.gen.ts';
import { tooManyRequests } from '../../apimachinery/status-error.ts';

interface Waiting {
  readonly seats: number;
  readonly start: () => void;
}

interface Queue {
  readonly waiting: Waiting[];
  /** Seats given so far: the queue that had least is served next. */
  virtual: number;
}

const refused = () => tooManyRequests('Too many requests, please try again later.', 1);

/** One priority level: at most `limit` seats at once; more requests wait in queues that take turns, or are refused. */
export class PriorityLevel {
  readonly name: string;
  #spec: PriorityLevelConfigurationSpec;
  #queues: Queue[] = [];
  #hands = new Map<string, readonly number[]>();
  /** What a queue that was empty starts from, lest it catch up for the time it had nothing to do. */
  #virtual = 0;
  limit = 1;
  executing = 0;
  seats = 0;
  waiting = 0;

  constructor(name: string, spec: PriorityLevelConfigurationSpec) {
    this.name = name;
    this.#spec = spec;
  }

  get exempt(): boolean {
    return this.#spec.type === 'Exempt';
  }

  configure(spec: PriorityLevelConfigurationSpec, limit: number): void {
    this.#spec = spec;
    this.#hands.clear();
    this.limit = limit;
    this.#dispatch();
  }

  /**
   * The seats it got, to be given back with `leave`; a promise when it has to wait. Throws 429 when there is no room, and
   * rejects with it when the wait is too long.
   */
  enter(flow: string, width: number, timeoutMs: number, signal: () => AbortSignal): number | Promise<number> {
    if (this.exempt || (this.waiting === 0 && this.seats + Math.min(width, this.limit) <= this.limit))
      return this.#start(width);
    const { queuing } = this.#spec.limited?.limitResponse ?? {};
    if (!queuing) throw refused();
    const queue = this.#queueFor(flow, queuing.queues ?? 64, queuing.handSize ?? 8);
    if (queue.waiting.length >= (queuing.queueLengthLimit ?? 50)) throw refused();
    return this.#wait(queue, width, timeoutMs, signal());
  }

  leave(seats: number): void {
    this.executing--;
    this.seats -= seats;
    if (this.waiting) this.#dispatch();
  }

  #start(width: number): number {
    const seats = this.exempt ? width : Math.min(width, this.limit);
    this.executing++;
    this.seats += seats;
    return seats;
  }

  #wait(queue: Queue, width: number, timeoutMs: number, signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
      };
      const waiting: Waiting = {
        seats: width,
        start: () => {
          settle();
          resolve(this.#start(width));
        },
      };
      const giveUp = () => {
        settle();
        queue.waiting.splice(queue.waiting.indexOf(waiting), 1);
        this.waiting--;
        reject(refused());
      };
      const timer = setTimeout(giveUp, timeoutMs);
      signal.addEventListener('abort', giveUp, { once: true });
      if (queue.waiting.length === 0) queue.virtual = Math.max(queue.virtual, this.#virtual);
      queue.waiting.push(waiting);
      this.waiting++;
    });
  }

  #dispatch(): void {
    while (this.waiting > 0) {
      let next: Queue | undefined;
      for (const queue of this.#queues)
        if (queue?.waiting.length && (!next || queue.virtual < next.virtual)) next = queue;
      const first = next?.waiting[0];
      if (!next || !first || this.seats + Math.min(first.seats, this.limit) > this.limit) return;
      next.waiting.shift();
      this.waiting--;
      this.#virtual = next.virtual;
      next.virtual += first.seats;
      first.start();
    }
  }

  /** Shuffle sharding: of the few queues that are the flow's, the shortest. */
  #queueFor(flow: string, queues: number, handSize: number): Queue {
    let hand = this.#hands.get(flow);
    if (!hand) {
      if (this.#hands.size > 4096) this.#hands.clear();
      hand = deal(flow, queues, handSize);
      this.#hands.set(flow, hand);
    }
    let best: Queue | undefined;
    for (const index of hand) {
      this.#queues[index] ??= { waiting: [], virtual: 0 };
      const queue = this.#queues[index];
      if (!best || queue.waiting.length < best.waiting.length) best = queue;
    }
    return best!;
  }
}

function deal(flow: string, queues: number, handSize: number): number[] {
  const hash = createHash('sha256').update(flow).digest();
  const deck = Array.from({ length: queues }, (_, index) => index);
  return Array.from(
    { length: Math.min(handSize, queues) },
    (_, turn) => deck.splice(hash.readUInt16BE((turn * 2) % 32) % deck.length, 1)[0]!,
  );
}
