import type { RequestContext } from './request-context.ts';

/** Decides when a request is worked on. */
export interface FlowControl {
  /** Sorts the request among all others; it waits for nothing. */
  classify(context: RequestContext): FlowClass;
}

/** Requests that one FlowSchema sorts into one priority level. */
export interface FlowClass {
  /** Told to the client; empty for objects that only this process has. */
  readonly flowSchemaUid: string;
  readonly priorityLevelUid: string;
  /** The release of its seats, at once or after a wait. Throws, or rejects with, StatusError 429. */
  enter(context: RequestContext): (() => void) | Promise<() => void>;
}
