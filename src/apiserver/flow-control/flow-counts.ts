import type { Rejection } from './priority-level.ts';

/** Upper bounds in seconds, of `request_wait_duration_seconds`. */
export const WAIT_BUCKETS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

/** What became of the requests of one FlowSchema in one priority level. */
export class FlowCounts {
  readonly priorityLevel: string;
  readonly flowSchema: string;
  readonly rejected = new Map<Rejection, number>();
  /** Of those that had to wait and were let in. */
  readonly waits: number[] = new Array(WAIT_BUCKETS.length).fill(0);
  waited = 0;
  waitedSeconds = 0;
  dispatched = 0;
  executing = 0;
  seats = 0;
  queued = 0;

  constructor(priorityLevel: string, flowSchema: string) {
    this.priorityLevel = priorityLevel;
    this.flowSchema = flowSchema;
  }

  start(seats: number): void {
    this.dispatched++;
    this.executing++;
    this.seats += seats;
  }

  end(seats: number): void {
    this.executing--;
    this.seats -= seats;
  }

  reject(why: Rejection): void {
    this.rejected.set(why, (this.rejected.get(why) ?? 0) + 1);
  }

  observeWait(seconds: number): void {
    this.waited++;
    this.waitedSeconds += seconds;
    for (let i = WAIT_BUCKETS.length - 1; i >= 0 && seconds <= WAIT_BUCKETS[i]!; i--) this.waits[i]!++;
  }
}
