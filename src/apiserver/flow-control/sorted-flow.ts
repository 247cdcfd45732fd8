import type { FlowSchema } from '../../api/types/flowcontrol.v1.gen.ts';
import type { FlowClass } from '../request/flow-control.ts';
import { tooManyRequestsText } from '../request/plain-text-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import { requestedTimeoutMs } from '../request/request-timeout.ts';
import type { FlowCounts } from './flow-counts.ts';
import type { LevelRequest, PriorityLevel, Rejection } from './priority-level.ts';
import { estimateSeats, type StoredObjects } from './work-estimate.ts';

/** Of one request, in a level that says nothing else. */
const MAX_SEATS = 10;

export interface SortedFlowOptions {
  /** Undefined: what no schema matches. */
  readonly schema: FlowSchema | undefined;
  readonly level: PriorityLevel;
  readonly priorityLevelUid: string;
  readonly counts: FlowCounts;
  readonly queueTimeoutMs: number;
  /** What is stored of a resource, for how wide its lists are. */
  readonly stored: (group: string, resource: string) => StoredObjects;
}

/** The requests of one FlowSchema, on their way into its level. */
export class SortedFlow implements FlowClass {
  readonly schema: FlowSchema | undefined;
  readonly level: PriorityLevel;
  readonly flowSchemaUid: string;
  readonly priorityLevelUid: string;
  readonly #options: SortedFlowOptions;

  constructor(options: SortedFlowOptions) {
    this.schema = options.schema;
    this.level = options.level;
    this.flowSchemaUid = options.schema?.metadata.uid ?? '';
    this.priorityLevelUid = options.priorityLevelUid;
    this.#options = options;
  }

  enter(context: RequestContext): (() => void) | Promise<() => void> {
    const width = estimateSeats(
      context.info,
      context.query,
      Math.min(MAX_SEATS, this.level.maxSeats),
      this.#options.stored,
    );
    const request: LevelRequest = {
      context,
      flowSchema: this.schema?.metadata.name ?? 'catch-all',
      distinguisher: this.#distinguisherOf(context),
      seats: width,
      arrived: performance.now(),
      queue: undefined,
      started: undefined,
    };
    this.#options.counts.widths.observe(width);
    const seats = this.level.tryEnter(width);
    return seats > 0 ? this.#admit(request, seats) : this.#wait(request);
  }

  #wait(request: LevelRequest): Promise<() => void> {
    const { queueTimeoutMs, counts } = this.#options;
    const { context, seats: width, arrived } = request;
    const timeoutMs = Math.min(queueTimeoutMs, requestedTimeoutMs(context.query) ?? queueTimeoutMs);
    counts.unaccommodated++;
    const waiting = this.level.wait(request, timeoutMs);
    if (typeof waiting === 'string') throw this.#refused(waiting);
    counts.queue(1, width);
    counts.queueLengths.observe(this.level.queueLength(request.queue));
    return waiting.then((got) => {
      counts.queue(-1, -width);
      const admitted = typeof got === 'number';
      (admitted ? counts.waits : counts.vainWaits).observe((performance.now() - arrived) / 1000);
      if (!admitted) throw this.#refused(got);
      return this.#admit(request, got);
    });
  }

  #admit(request: LevelRequest, seats: number): () => void {
    const { counts } = this.#options;
    const since = request.queue === undefined ? request.arrived : performance.now();
    request.started = since;
    this.level.working.add(request);
    counts.start(seats);
    return () => {
      const now = performance.now();
      this.level.working.delete(request);
      counts.end(seats, (now - since) / 1000, request.context.info.verb === 'watch');
      this.level.leave(seats, now);
    };
  }

  #refused(why: Rejection): Error {
    this.#options.counts.reject(why);
    const { retryAfter } = this.level;
    retryAfter.refuse(Math.floor(performance.now() / 1000));
    return tooManyRequestsText(retryAfter.seconds);
  }

  /** Flows share a level fairly: users, or namespaces, or all that the schema matches. */
  #distinguisherOf({ user, info }: RequestContext): string {
    const by = this.schema?.spec.distinguisherMethod?.type;
    return by === 'ByUser' ? user.name : by === 'ByNamespace' ? info.namespace : '';
  }
}
