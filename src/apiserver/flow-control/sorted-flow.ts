import type { FlowSchema } from '../../api/types/flowcontrol.v1.gen.ts';
import { tooManyRequests } from '../../apimachinery/status-error.ts';
import type { FlowClass } from '../request/flow-control.ts';
import type { RequestContext } from '../request/request-context.ts';
import { requestedTimeoutMs } from '../request/request-timeout.ts';
import type { FlowCounts } from './flow-counts.ts';
import type { PriorityLevel, Rejection } from './priority-level.ts';

export interface SortedFlowOptions {
  /** Undefined: what no schema matches. */
  readonly schema: FlowSchema | undefined;
  readonly level: PriorityLevel;
  readonly priorityLevelUid: string;
  readonly counts: FlowCounts;
  readonly queueTimeoutMs: number;
  /** How many seats a request takes. */
  readonly width: (context: RequestContext) => number;
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
    const width = this.#options.width(context);
    const seats = this.level.tryEnter(width);
    return seats > 0 ? this.#admit(seats) : this.#wait(context, width);
  }

  #wait(context: RequestContext, width: number): Promise<() => void> {
    const { queueTimeoutMs, counts } = this.#options;
    const timeoutMs = Math.min(queueTimeoutMs, requestedTimeoutMs(context.query) ?? queueTimeoutMs);
    const since = performance.now();
    const waiting = this.level.wait(this.#flowOf(context), width, timeoutMs, context.signal);
    if (typeof waiting === 'string') throw this.#refused(waiting);
    counts.queued++;
    return waiting.then((got) => {
      counts.queued--;
      if (typeof got === 'string') throw this.#refused(got);
      counts.observeWait((performance.now() - since) / 1000);
      return this.#admit(got);
    });
  }

  #admit(seats: number): () => void {
    const { counts } = this.#options;
    counts.start(seats);
    return () => {
      counts.end(seats);
      this.level.leave(seats);
    };
  }

  #refused(why: Rejection): Error {
    this.#options.counts.reject(why);
    return tooManyRequests('Too many requests, please try again later.', 1);
  }

  /** Flows share a level fairly: users, or namespaces, or all that the schema matches. */
  #flowOf({ user, info }: RequestContext): string {
    const by = this.schema?.spec.distinguisherMethod?.type;
    const distinguisher = by === 'ByUser' ? user.name : by === 'ByNamespace' ? info.namespace : '';
    return `${this.schema?.metadata.name}\n${distinguisher}`;
  }
}
