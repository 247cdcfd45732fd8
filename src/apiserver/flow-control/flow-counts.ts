import { Histogram } from '../health/histogram.ts';
import type { Rejection } from './priority-level.ts';

/** Upper bounds in seconds, of waiting and of executing. */
const SECONDS_BUCKETS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

const SEATS_BUCKETS = [1, 2, 4, 10];
const LENGTH_BUCKETS = [0, 10, 25, 50, 100, 250, 500, 1000];

/** What became of the requests of one FlowSchema in one priority level. */
export class FlowCounts {
  readonly priorityLevel: string;
  readonly flowSchema: string;
  readonly rejected = new Map<Rejection, number>();
  /** Of those that had to wait: let in, and not. */
  readonly waits = new Histogram(SECONDS_BUCKETS);
  readonly vainWaits = new Histogram(SECONDS_BUCKETS);
  readonly executions = new Histogram(SECONDS_BUCKETS);
  /** Of watches, until they have begun. */
  readonly watchStarts = new Histogram(SECONDS_BUCKETS);
  /** Of all that came. */
  readonly widths = new Histogram(SEATS_BUCKETS);
  /** Of queues, with the request that was just put there. */
  readonly queueLengths = new Histogram(LENGTH_BUCKETS);
  /** Requests that found no seat free. */
  unaccommodated = 0;
  dispatched = 0;
  executing = 0;
  seats = 0;
  queued = 0;
  queuedSeats = 0;

  constructor(priorityLevel: string, flowSchema: string) {
    this.priorityLevel = priorityLevel;
    this.flowSchema = flowSchema;
  }

  start(seats: number): void {
    this.dispatched++;
    this.executing++;
    this.seats += seats;
  }

  end(seats: number, seconds: number, watch: boolean): void {
    this.executing--;
    this.seats -= seats;
    (watch ? this.watchStarts : this.executions).observe(seconds);
  }

  queue(requests: number, seats: number): void {
    this.queued += requests;
    this.queuedSeats += seats;
  }

  reject(why: Rejection): void {
    this.rejected.set(why, (this.rejected.get(why) ?? 0) + 1);
  }
}
