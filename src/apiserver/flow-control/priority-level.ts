import { createHash } from 'node:crypto';
import type { PriorityLevelConfigurationSpec } from '../../api/types/flowcontrol.v1.gen.ts';

interface Waiting {
  readonly seats: number;
  readonly start: () => void;
}

interface Queue {
  readonly waiting: Waiting[];
  /** Seats given so far: the queue that had least is served next. */
  virtual: number;
}

/** Why a request was not let in, as `apiserver_flowcontrol_rejected_requests_total` names it. */
export type Rejection = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled';

/** One priority level: at most `limit` seats at once; more requests wait in queues that take turns, or are refused. */
export class PriorityLevel {
  readonly name: string;
  #spec: PriorityLevelConfigurationSpec;
  #queues: Queue[] = [];
  #hands = new Map<string, readonly number[]>();
  /** What a queue that was empty starts from, lest it catch up for the time it had nothing to do. */
  #virtual = 0;
  limit = 1;
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

  /** The seats it got, to be given back with `leave`; 0 when there is no room or others wait already. */
  tryEnter(width: number): number {
    if (this.exempt || (this.waiting === 0 && this.seats + Math.min(width, this.limit) <= this.limit))
      return this.#start(width);
    return 0;
  }

  /** After `tryEnter` gave none: the seats when it is its turn, or why it won't be. */
  wait(flow: string, width: number, timeoutMs: number, signal: AbortSignal): Rejection | Promise<number | Rejection> {
    const { queuing } = this.#spec.limited?.limitResponse ?? {};
    if (!queuing) return 'concurrency-limit';
    const queue = this.#queueFor(flow, queuing.queues ?? 64, queuing.handSize ?? 8);
    if (queue.waiting.length >= (queuing.queueLengthLimit ?? 50)) return 'queue-full';
    if (signal.aborted) return 'cancelled';
    return this.#enqueue(queue, width, timeoutMs, signal);
  }

  leave(seats: number): void {
    this.seats -= seats;
    if (this.waiting) this.#dispatch();
  }

  #start(width: number): number {
    const seats = this.exempt ? width : Math.min(width, this.limit);
    this.seats += seats;
    return seats;
  }

  #enqueue(queue: Queue, width: number, timeoutMs: number, signal: AbortSignal): Promise<number | Rejection> {
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        seats: width,
        start: () => {
          settle();
          resolve(this.#start(width));
        },
      };
      const giveUp = (why: Rejection) => {
        settle();
        queue.waiting.splice(queue.waiting.indexOf(waiting), 1);
        this.waiting--;
        resolve(why);
        // What stood behind a wide request may fit.
        if (this.waiting) this.#dispatch();
      };
      const onAbort = () => giveUp('cancelled');
      const timer = setTimeout(giveUp, timeoutMs, 'time-out');
      signal.addEventListener('abort', onAbort, { once: true });
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
      if (!next || !first) return;
      if (!this.exempt && this.seats + Math.min(first.seats, this.limit) > this.limit) return;
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
