import type { Logger } from '../../apimachinery/logger.ts';
import type { KubeObject } from '../../apimachinery/meta.ts';
import type { Client, ResourceType } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer, InformerFactory, InformerSelector } from '../../client/informer.ts';

/**
 * A controller as data: what it watches, and how it brings the state of one key to what is wanted. Reconciling is
 * level-triggered: it is told that something about the key may have changed, never what, and must bear being called
 * again at any time. A controller that keeps state of its own gives `setup`, which is called at each start.
 */
export type ControllerDefinition = ControllerSettings & (ControllerInstance | ControllerSetup);

export interface ControllerSettings {
  /** Kubernetes' name of it: `deployment-controller`. Unique within a manager. */
  readonly name: string;
  /** Keys worked on at a time; 4 when absent. A key is never worked on twice at once. */
  readonly concurrency?: number;
}

export interface ControllerInstance {
  readonly watches: readonly Watch[];
  /** Keys queued once at the start, for work that no object triggers. */
  readonly initialKeys?: readonly string[];
  /**
   * An error makes the key come again with backoff (5 ms doubled up to 1,000 s); a `TerminalError` doesn't, but the
   * next change does.
   */
  reconcile(
    request: ReconcileRequest,
    context: ControllerContext,
  ): Promise<ReconcileResult | void> | ReconcileResult | void;
  /** After the last reconcile; leaves nothing behind. */
  stop?(): void | Promise<void>;
}

export interface ControllerSetup {
  setup(context: ControllerContext): ControllerInstance;
}

export interface ReconcileRequest {
  /** `namespace/name`, `name`, or whatever a watch's `keys` gave. */
  readonly key: string;
  /** Of the key, empty when it has none. */
  readonly namespace: string;
  readonly name: string;
}

export interface ReconcileResult {
  /** Come again after so long, without counting as a failure. */
  readonly requeueAfterMs?: number;
}

export interface ControllerContext {
  readonly client: Client;
  /** The shared informer; those asked for in `setup` are synced before the first reconcile. */
  informer<T extends KubeObject>(type: ResourceType<T>, selector?: InformerSelector): Informer<T>;
  /** For informers that come and go, or need not be synced first. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** Aborted when the controller stops. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds. */
  now(): number;
  enqueue(key: string, afterMs?: number): void;
}

/** Further tries won't help until something changes: the key is not retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ObjectChange<T> {
  readonly type: 'add' | 'update' | 'delete';
  /** As it is now; for a deletion as it was last. */
  readonly object: T;
  /** Before an update. */
  readonly old?: T;
}

/** A watched resource with its object type forgotten; made by `watch`. */
export interface Watch {
  readonly type: ResourceType;
  readonly selector: InformerSelector;
  readonly indexes: Readonly<Record<string, (object: never) => readonly string[]>>;
  /** Keys to reconcile because of a change. */
  keysOf(change: ObjectChange<never>, context: ControllerContext): readonly string[];
}

export interface WatchOptions<T extends KubeObject> extends InformerSelector {
  /** The changed objects are owned (by controller reference) by objects of this kind: their key is queued. */
  readonly ownedBy?: ResourceType<KubeObject>;
  /** Keys to reconcile because of an object; called for both the old and the new one of an update. */
  readonly keys?: (object: T, context: ControllerContext) => readonly string[];
  /** Sees each change before keys are made of it, `when` or not: for expectations and the like. */
  readonly observe?: (change: ObjectChange<T>, context: ControllerContext) => void;
  /** Changes that matter; all when absent. */
  readonly when?: (change: ObjectChange<T>) => boolean;
  /** Indexes to add to the informer, for `byIndex`. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
}

/** Types and checks a definition; adds nothing to it. */
export function defineController(definition: ControllerDefinition): ControllerDefinition {
  if (!definition.name) throw new TypeError('a controller needs a name');
  return definition;
}
