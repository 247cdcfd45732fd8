import type { RequestContext } from './request-context.ts';

/** Decides when a request is worked on. */
export interface FlowControl {
  /** The release of its seats, at once or after a wait. Throws, or rejects with, StatusError 429. */
  enter(context: RequestContext): (() => void) | Promise<() => void>;
}
