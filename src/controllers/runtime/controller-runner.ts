import type { Logger } from '../../apimachinery/logger.ts';
import { type KubeObject, splitObjectKey } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer, InformerFactory, InformerHandler } from '../../client/informer.ts';
import type { ControllerContext, ControllerDefinition, ControllerInstance, ObjectChange, Watch } from './controller.ts';
import { TerminalError } from './controller.ts';
import { createWorkQueue } from './work-queue.ts';

/** What a metrics registry may want to hear. */
export interface ControllerMetrics {
  queued(controller: string, length: number): void;
  reconciled(controller: string, result: 'success' | 'requeue' | 'error' | 'terminal', seconds: number): void;
}

export interface ControllerRunnerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly metrics?: ControllerMetrics;
  readonly now: () => number;
}

/** One controller of a manager between start and stop. */
export interface ControllerRunner {
  readonly name: string;
  /** Its informers are synced. */
  readonly synced: boolean;
  /** Resolves when the caches it uses are synced. */
  whenSynced(): Promise<void>;
  /** Starts the workers; call once, after `whenSynced`. */
  work(): void;
  /** Waits for the reconciles under way, at most `graceMs`. */
  stop(): Promise<void>;
}

const CONCURRENCY = 4;
const STOP_GRACE_MS = 5_000;
/** A worker that never waits for anything lets others run after so long. */
const SLICE_MS = 4;

export function startController(definition: ControllerDefinition, options: ControllerRunnerOptions): ControllerRunner {
  const { name } = definition;
  const logger = options.logger.child({ controller: name });
  const queue = createWorkQueue();
  const abort = new AbortController();
  const used = new Set<Informer<KubeObject>>();
  const removals: (() => void)[] = [];
  let workers: Promise<void>[] = [];

  const context: ControllerContext = {
    client: options.client,
    informers: options.informers,
    events: options.events,
    logger,
    signal: abort.signal,
    now: options.now,
    informer(type, selector) {
      const informer = options.informers.informer(type, selector);
      used.add(informer as unknown as Informer<KubeObject>);
      return informer;
    },
    enqueue: (key, afterMs = 0) => queue.addAfter(key, afterMs),
  };

  const instance: ControllerInstance = 'setup' in definition ? definition.setup(context) : definition;
  for (const watch of instance.watches) removals.push(attach(watch));
  for (const key of instance.initialKeys ?? []) queue.add(key);

  function attach(watch: Watch): () => void {
    const informer = context.informer<KubeObject>(watch.type, watch.selector);
    for (const [index, keys] of Object.entries(watch.indexes))
      informer.addIndex(index, keys as unknown as (object: KubeObject) => readonly string[]);
    const changed = (change: ObjectChange<KubeObject>) => {
      for (const key of watch.keysOf(change as ObjectChange<never>, context)) queue.add(key);
      options.metrics?.queued(name, queue.length);
    };
    const handler: InformerHandler<KubeObject> = {
      onAdd: (object) => changed({ type: 'add', object }),
      onUpdate: (object, old) => changed({ type: 'update', object, old }),
      onDelete: (object) => changed({ type: 'delete', object }),
    };
    return informer.addHandler(handler);
  }

  async function worker(): Promise<void> {
    let since = performance.now();
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      await handle(key);
      if (performance.now() - since > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        since = performance.now();
      }
    }
  }

  async function handle(key: string): Promise<void> {
    const began = performance.now();
    let result: 'success' | 'requeue' | 'error' | 'terminal' = 'success';
    try {
      const { namespace = '', name: objectName } = splitObjectKey(key);
      const outcome = await instance.reconcile({ key, namespace, name: objectName }, context);
      queue.forget(key);
      if (outcome?.requeueAfterMs !== undefined) {
        result = 'requeue';
        queue.addAfter(key, outcome.requeueAfterMs);
      }
    } catch (error) {
      if (abort.signal.aborted) return;
      result = error instanceof TerminalError ? 'terminal' : 'error';
      if (result === 'terminal') {
        queue.forget(key);
        logger.error({ err: error, key }, 'reconcile failed for good');
      } else {
        queue.addRateLimited(key);
        // A cache that is behind shows in such errors: routine, until they don't end.
        const stale = isStatusError(error, 'Conflict') || isStatusError(error, 'AlreadyExists');
        const routine = stale && queue.retries(key) < 8;
        logger[routine ? 'debug' : 'warn']({ err: error, key, retries: queue.retries(key) }, 'reconcile failed');
      }
    } finally {
      queue.done(key);
      options.metrics?.reconciled(name, result, (performance.now() - began) / 1000);
      options.metrics?.queued(name, queue.length);
    }
  }

  return {
    name,
    get synced() {
      return [...used].every((informer) => informer.synced);
    },
    whenSynced: async () => {
      await Promise.all([...used].map((informer) => informer.whenSynced(abort.signal)));
    },
    work() {
      workers = Array.from({ length: definition.concurrency ?? CONCURRENCY }, () => worker());
    },
    async stop() {
      for (const remove of removals) remove();
      abort.abort(new Error(`controller ${name} is stopped`));
      queue.shutDown();
      let timer: NodeJS.Timeout | undefined;
      const grace = new Promise<'late'>((resolve) => {
        timer = setTimeout(() => resolve('late'), STOP_GRACE_MS);
      });
      if ((await Promise.race([Promise.all(workers), grace])) === 'late')
        logger.warn({}, 'a reconcile did not end in time');
      clearTimeout(timer);
      await instance.stop?.();
    },
  };
}
