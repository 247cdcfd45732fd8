import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject, ListMeta } from '../../apimachinery/meta.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import type { Entry } from '../watch-cache/entry.ts';
import type { RunningWatch } from '../watch-cache/watch.ts';
import type { WatchSink } from '../watch-cache/watcher.ts';

/** What a request comes to, before it is encoded for whoever asked. Failures are thrown as StatusError. */
export type Result = EntryResult | ObjectResult | ListResult | WatchResult | ContentResult | TakeOverResult;

/** A stored object (or what one would be, with dry run). */
export interface EntryResult {
  readonly type: 'entry';
  readonly status: number;
  readonly definition: KindDefinition;
  readonly entry: Entry;
}

/** Any other object: Status, Scale, reviews. */
export interface ObjectResult {
  readonly type: 'object';
  readonly status: number;
  readonly object: object;
  /** As a table; absent: it has no such form. */
  readonly columns?: KindDefinition['columns'];
}

export interface ListResult {
  readonly type: 'list';
  readonly definition: KindDefinition;
  /** In the stored version. */
  readonly entries: readonly Entry[];
  readonly metadata: ListMeta;
}

export interface WatchResult {
  readonly type: 'watch';
  readonly definition: KindDefinition;
  open(sink: WatchSink): RunningWatch;
}

/** Ready bytes: documents, metrics, health. */
export interface ContentResult {
  readonly type: 'content';
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The handler answers on the connection itself (proxy, exec, logs). HTTP only. */
export interface TakeOverResult {
  readonly type: 'takeOver';
  run(exchange: HttpExchange): Promise<void>;
}

export const objectResult = (object: KubeObject | object, status = 200): ObjectResult => ({
  type: 'object',
  status,
  object,
});
