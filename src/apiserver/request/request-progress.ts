import type { FlowClass } from './flow-control.ts';

/** What the chain tells a transport that answers on a connection. Each is called once at most. */
export interface RequestProgress {
  /** Whether the client was told that it took too long. */
  readonly expired: boolean;
  /** Called when flow control has sorted the request. */
  classified(flow: FlowClass): void;
  /** The answer has to be written within so many ms; not told of requests that may take any time. */
  limited(timeoutMs: number): void;
  /** `end` is to be called when the answer is written, or has failed to be: until then the request holds its seats. */
  holding(end: (code: number, sentBytes: number) => void): void;
}
