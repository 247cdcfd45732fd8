import { createHash } from 'node:crypto';
import type { PriorityLevelConfigurationSpec } from '../../api/types/flowcontrol.v1.gen.ts';
import type { RequestContext } from '../request/request-context.ts';
import { RetryAfter } from './retry-after.ts';
import { SeatDemand } from './seat-demand.ts';

/** A request that a level has, as the debugging dumps show it. Times as `performance.now()` tells them. */
export interface LevelRequest {
  readonly context: RequestContext;
  readonly flowSchema: string;
  readonly distinguisher: string;
  readonly seats: number;
  readonly arrived: number;
  /** Of the queue it waits in, or came from. */
  queue: number | undefined;
  started: number | undefined;
}

interface Waiting {
  readonly seats: number;
  readonly request: LevelRequest;
  readonly start: () => void;
}

interface Queue {
  readonly index: number;
  readonly waiting: Waiting[];
  /** Seats given so far: the queue that had least is served next. */
  virtual: number;
}

/** Why a request was not let in, as `apiserver_flowcontrol_rejected_requests_total` names it. */
export type Rejection = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled';

/** Of its nominal seats, how many one request may take in a level with queues. */
const WIDEST = 0.15;

/** One priority level: at most `limit` seats at once; more requests wait in queues that take turns, or are refused. */
export class PriorityLevel {
  readonly name: string;
  readonly demand = new SeatDemand();
  readonly retryAfter = new RetryAfter();
  #spec: PriorityLevelConfigurationSpec;
  #queues: Queue[] = [];
  #executing = 0;
  #hands = new Map<string, readonly number[]>();
  /** What a queue that was empty starts from, lest it catch up for the time it had nothing to do. */
  #virtual = 0;
  /** Its seats by its shares; what is left when it has lent all it may; what it has when it has borrowed all it may. */
  nominal = 1;
  lower = 1;
  upper = 1;
  /** What it has now. */
  limit = 1;
  /** What it wanted at the last adjustment. */
  target = 0;
  /** Of one request. */
  maxSeats = Number.POSITIVE_INFINITY;
  seats = 0;
  waiting = 0;
  waitingSeats = 0;
  /** Since it is there. */
  readonly working = new Set<LevelRequest>();
  readonly counts = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 };

  constructor(name: string, spec: PriorityLevelConfigurationSpec) {
    this.name = name;
    this.#spec = spec;
  }

  get exempt(): boolean {
    return this.#spec.type === 'Exempt';
  }

  get executing(): number {
    return this.#executing;
  }

  get activeQueues(): number {
    return this.#queues.filter((queue) => queue?.waiting.length).length;
  }

  queueLength(index = -1): number {
    return this.#queues[index]?.waiting.length ?? 0;
  }

  /** Those that there are by its configuration, of which few may have had something to do. */
  *queues(): Iterable<{ readonly index: number; readonly virtual: number; readonly requests: LevelRequest[] }> {
    const count = this.#spec.limited?.limitResponse?.queuing?.queues ?? 0;
    for (let index = 0; index < count; index++) {
      const { waiting = [], virtual = 0 } = this.#queues[index] ?? {};
      yield { index, virtual, requests: waiting.map(({ request }) => request) };
    }
  }

  /** `total`: how many seats all levels have together. */
  configure(spec: PriorityLevelConfigurationSpec, nominal: number, total: number): void {
    this.#spec = spec;
    this.#hands.clear();
    const { lendablePercent = 0 } = (this.exempt ? spec.exempt : spec.limited) ?? {};
    const borrowing = spec.limited?.borrowingLimitPercent;
    if (this.nominal !== nominal) this.limit = Math.max(1, nominal);
    this.nominal = nominal;
    this.lower = nominal - Math.round((nominal * lendablePercent) / 100);
    this.upper = nominal + (borrowing === undefined ? total : Math.round((nominal * borrowing) / 100));
    const queuing = spec.limited?.limitResponse?.queuing;
    this.maxSeats = queuing
      ? Math.max(1, Math.min(Math.ceil(nominal * WIDEST), Math.floor(nominal / (queuing.handSize ?? 8))))
      : Number.POSITIVE_INFINITY;
    this.#dispatch();
  }

  /** From now on it has so many seats, whatever its shares say; one at least, lest it stand still. */
  lend(limit: number): void {
    this.limit = Math.max(1, limit);
    this.#dispatch();
  }

  /** The seats it got, to be given back with `leave`; 0 when there is no room or others wait already. */
  tryEnter(width: number): number {
    if (this.exempt || (this.waiting === 0 && this.seats + Math.min(width, this.limit) <= this.limit))
      return this.#start(width);
    return 0;
  }

  /** After `tryEnter` gave none: the seats when it is its turn, or why it won't be. */
  wait(request: LevelRequest, timeoutMs: number): Rejection | Promise<number | Rejection> {
    const { flowSchema, distinguisher, context } = request;
    const { queuing } = this.#spec.limited?.limitResponse ?? {};
    if (!queuing) return this.#reject('concurrency-limit');
    const queue = this.#queueFor(`${flowSchema}\n${distinguisher}`, queuing.queues ?? 64, queuing.handSize ?? 8);
    if (queue.waiting.length >= (queuing.queueLengthLimit ?? 50)) return this.#reject('queue-full');
    const { signal } = context;
    if (signal.aborted) return 'cancelled';
    request.queue = queue.index;
    return this.#enqueue(queue, request, timeoutMs, signal);
  }

  /** `now` as `performance.now()` tells it. */
  leave(seats: number, now = performance.now()): void {
    this.seats -= seats;
    this.#executing--;
    this.demand.set(this.seats + this.waitingSeats, now);
    if (this.waiting) this.#dispatch();
  }

  #start(width: number): number {
    const seats = this.exempt ? width : Math.min(width, this.limit);
    this.seats += seats;
    this.#executing++;
    this.counts.dispatched++;
    this.demand.set(this.seats + this.waitingSeats, performance.now());
    return seats;
  }

  #enqueue(queue: Queue, request: LevelRequest, timeoutMs: number, signal: AbortSignal): Promise<number | Rejection> {
    const width = request.seats;
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        seats: width,
        request,
        start: () => {
          settle();
          resolve(this.#start(width));
        },
      };
      const giveUp = (why: Rejection) => {
        settle();
        queue.waiting.splice(queue.waiting.indexOf(waiting), 1);
        this.#waits(-1, -width);
        if (why === 'time-out') this.counts.timedOut++;
        else this.counts.cancelled++;
        resolve(why);
        // What stood behind a wide request may fit.
        if (this.waiting) this.#dispatch();
      };
      const onAbort = () => giveUp('cancelled');
      const timer = setTimeout(giveUp, timeoutMs, 'time-out');
      signal.addEventListener('abort', onAbort, { once: true });
      if (queue.waiting.length === 0) queue.virtual = Math.max(queue.virtual, this.#virtual);
      queue.waiting.push(waiting);
      this.#waits(1, width);
    });
  }

  #waits(requests: number, seats: number): void {
    this.waiting += requests;
    this.waitingSeats += seats;
    this.demand.set(this.seats + this.waitingSeats, performance.now());
  }

  #reject(why: Rejection): Rejection {
    this.counts.rejected++;
    return why;
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
      this.#waits(-1, -first.seats);
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
      this.#queues[index] ??= { index, waiting: [], virtual: 0 };
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
