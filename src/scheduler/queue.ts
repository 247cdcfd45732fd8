import type { Pod } from '../api/types/core.v1.gen.ts';
import type { ClusterEvent } from './framework.ts';

const INITIAL_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** A pod that no event has moved is tried again after this long. */
const UNSCHEDULABLE_FLUSH_MS = 5 * 60_000;

export interface QueuedPod {
  pod: Pod;
  readonly key: string;
  readonly queuedAt: number;
  attempts: number;
  /** Names of the plugins that rejected it last; their events move it. */
  rejectedBy: readonly string[];
  gated?: string;
}

export interface QueueOptions {
  /** The events that may help a pod rejected by a plugin; none means every event. */
  eventsOf(plugin: string): readonly ClusterEvent[] | undefined;
  /** Why a pod may not enter, if so. */
  gate(pod: Pod): string | undefined;
  onReady(): void;
}

/**
 * Pods that wait for a node: active (a heap by priority, then age), backing off, unschedulable until an event helps, or gated.
 */
export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #pods = new Map<
    string,
    { item: QueuedPod; place: 'active' | 'backoff' | 'unschedulable' | 'gated' | 'inFlight' }
  >();
  readonly #heap: QueuedPod[] = [];
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Counts events, so that a pod whose attempt overlapped one is retried at once rather than parked. */
  #eventCount = 0;
  readonly #flightEvents = new Map<string, number>();

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pods.size;
  }

  /** A new or changed pod without a node. A change that can't matter to scheduling leaves it where it is. */
  put(key: string, pod: Pod, relevant: boolean): void {
    const known = this.#pods.get(key);
    if (!known) {
      const item: QueuedPod = {
        pod,
        key,
        queuedAt: Date.parse(pod.metadata.creationTimestamp ?? '') || Date.now(),
        attempts: 0,
        rejectedBy: [],
      };
      this.#enter(item);
      return;
    }
    known.item.pod = pod;
    if (known.place === 'inFlight') {
      if (relevant) this.#flightEvents.set(key, -1);
      return;
    }
    if (!relevant) return;
    if (known.place === 'gated' || known.place === 'unschedulable') this.#enter(known.item);
  }

  delete(key: string): void {
    this.#clearTimer(key);
    this.#pods.delete(key);
    this.#flightEvents.delete(key);
  }

  /** The next pod to schedule, now in flight until `done` or `retry`. */
  pop(): QueuedPod | undefined {
    while (this.#heap.length) {
      const item = this.#popHeap();
      const known = this.#pods.get(item.key);
      if (!known || known.item !== item || known.place !== 'active') continue; // deleted or moved meanwhile
      known.place = 'inFlight';
      this.#flightEvents.set(item.key, this.#eventCount);
      item.attempts++;
      return item;
    }
    return undefined;
  }

  done(key: string): void {
    this.delete(key);
  }

  /** Back after a failed attempt. With `rejectedBy` it waits for an event of these plugins, else for its back-off. */
  retry(item: QueuedPod, rejectedBy: readonly string[]): void {
    const known = this.#pods.get(item.key);
    if (!known || known.item !== item) return; // deleted meanwhile
    item.rejectedBy = rejectedBy;
    const missedEvent = this.#flightEvents.get(item.key) !== this.#eventCount;
    this.#flightEvents.delete(item.key);
    if (rejectedBy.length === 0 || missedEvent) this.#backOff(item);
    else {
      known.place = 'unschedulable';
      this.#setTimer(item, UNSCHEDULABLE_FLUSH_MS);
    }
  }

  /** Something changed in the cluster: wakes the pods that it may help. */
  notify(event: ClusterEvent): void {
    this.#eventCount++;
    for (const { item, place } of this.#pods.values()) {
      if (place !== 'unschedulable') continue;
      const helps = item.rejectedBy.some((plugin) => this.#options.eventsOf(plugin)?.includes(event) ?? true);
      if (helps) this.#backOff(item);
    }
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#pods.clear();
    this.#heap.length = 0;
  }

  #enter(item: QueuedPod): void {
    const gated = this.#options.gate(item.pod);
    if (gated === undefined) {
      delete item.gated;
      this.#activate(item);
      return;
    }
    item.gated = gated;
    this.#clearTimer(item.key);
    this.#pods.set(item.key, { item, place: 'gated' });
  }

  #activate(item: QueuedPod): void {
    this.#clearTimer(item.key);
    this.#pods.set(item.key, { item, place: 'active' });
    this.#pushHeap(item);
    this.#options.onReady();
  }

  #backOff(item: QueuedPod): void {
    this.#pods.set(item.key, { item, place: 'backoff' });
    this.#setTimer(item, Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** Math.max(0, item.attempts - 1)));
  }

  #setTimer(item: QueuedPod, delay: number): void {
    this.#clearTimer(item.key);
    const timer = setTimeout(() => this.#enter(item), delay);
    timer.unref();
    this.#timers.set(item.key, timer);
  }

  #clearTimer(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }

  #pushHeap(item: QueuedPod): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  #popHeap(): QueuedPod {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = last;
    }
    return top;
  }
}

function before(a: QueuedPod, b: QueuedPod): boolean {
  const difference = (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0);
  return difference !== 0 ? difference > 0 : a.queuedAt < b.queuedAt;
}
