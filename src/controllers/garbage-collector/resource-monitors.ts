import type { Logger } from '../../apimachinery/logger.ts';
import { apiVersionOf, type KubeObject, parseApiVersion } from '../../apimachinery/meta.ts';
import type { ResourceType } from '../../client/client.ts';
import { createInformer, type RunningInformer } from '../../client/create-informer.ts';
import { discover } from '../../client/discovery.ts';
import type { Informer } from '../../client/informer.ts';
import type { ControllerContext } from '../runtime/index.ts';

export interface MonitorHandlers {
  changed(object: KubeObject): void;
  deleted(object: KubeObject): void;
  /** A resource is no longer served. */
  vanished(type: ResourceType): void;
}

/** Informers over everything that can be deleted, following what the server serves. */
export interface ResourceMonitors {
  /** Asks the server what it serves, and adds and drops informers accordingly. */
  sync(): Promise<void>;
  /** Every informer has its first list, or was given up on. */
  readonly synced: boolean;
  /** The resource of a kind in this version, or undefined. */
  typeOf(apiVersion: string, kind: string): ResourceType | undefined;
  stop(): Promise<void>;
}

interface Monitor {
  readonly type: ResourceType;
  readonly informer: Informer<KubeObject>;
  readonly detach: () => void;
  /** Absent when the informer is shared and not ours to stop. */
  readonly own: RunningInformer<KubeObject> | undefined;
}

/** An informer that has no list by then (a broken webhook conversion, say) must not stop all collection. */
const SLICE_MS = 4;
const SYNC_PATIENCE_MS = 30_000;
const IGNORED = new Set(['/events', 'events.k8s.io/events']);

export function createResourceMonitors(context: ControllerContext, handlers: MonitorHandlers): ResourceMonitors {
  const monitors = new Map<string, Monitor>();
  const backlog = createBacklog(context.logger);
  let kinds = new Map<string, ResourceType>();
  let synced = false;
  let since = performance.now();

  const keyOf = ({ group, resource }: ResourceType) => `${group}/${resource}`;

  function add(type: ResourceType): void {
    const shared = context.informers.existing<KubeObject>(type);
    const own = shared
      ? undefined
      : createInformer<KubeObject>(context.client, type, { logger: context.logger, metadataOnly: true });
    const informer = shared ?? own!;
    const apiVersion = apiVersionOf(type.group, type.version);
    // Metadata-only objects name their own kind, PartialObjectMetadata.
    const typed = (object: KubeObject) =>
      object.kind === type.kind ? object : { ...object, apiVersion, kind: type.kind };
    const changed = (object: KubeObject) => backlog.push(() => handlers.changed(typed(object)));
    const detach = informer.addHandler({
      onAdd: changed,
      onUpdate: changed,
      onDelete: (object) => backlog.push(() => handlers.deleted(typed(object))),
    });
    monitors.set(keyOf(type), { type, informer, detach, own });
    own?.start();
  }

  async function drop(key: string, monitor: Monitor): Promise<void> {
    monitors.delete(key);
    monitor.detach();
    await monitor.own?.stop();
  }

  return {
    async sync() {
      const discovery = await discover(context.client, context.signal);
      const failing = new Set(discovery.failures.map(({ groupVersion }) => parseApiVersion(groupVersion).group));
      const next = new Map(
        discovery.all.map(({ type }) => [`${apiVersionOf(type.group, type.version)}/${type.kind}`, type]),
      );
      for (const [name, type] of kinds) if (failing.has(type.group) && !next.has(name)) next.set(name, type);
      kinds = next;
      const wanted = new Map<string, ResourceType>();
      for (const { type, verbs } of discovery.resources)
        if (['delete', 'list', 'watch'].every((verb) => verbs.includes(verb)) && !IGNORED.has(keyOf(type)))
          wanted.set(keyOf(type), type);
      const dropped: Promise<void>[] = [];
      for (const [key, monitor] of [...monitors]) {
        const type = wanted.get(key);
        // A group whose server is down keeps its monitors: nothing is known about its objects meanwhile.
        if (failing.has(monitor.type.group)) continue;
        if (type && type.version === monitor.type.version && type.kind === monitor.type.kind) continue;
        dropped.push(drop(key, monitor));
        if (!type) handlers.vanished(monitor.type);
      }
      for (const [key, type] of wanted)
        if (!monitors.has(key)) {
          add(type);
          synced = false;
          since = performance.now();
        }
      await Promise.all(dropped);
    },
    get synced() {
      if (backlog.busy) return false;
      if (synced) return true;
      if (monitors.size === 0) return false;
      const all = [...monitors.values()].every(({ informer }) => informer.synced);
      synced = all || performance.now() - since > SYNC_PATIENCE_MS;
      return synced;
    },
    typeOf: (apiVersion, kind) => kinds.get(`${apiVersion}/${kind}`),
    async stop() {
      await Promise.all([...monitors].map(([key, monitor]) => drop(key, monitor)));
    },
  };
}

/** Work in order, a few milliseconds at a time: a shared informer hands over all of its objects at once. */
function createBacklog(logger: Logger) {
  const tasks: (() => void)[] = [];
  let busy = false;

  async function drain(): Promise<void> {
    let since = performance.now();
    for (let index = 0; index < tasks.length; index++) {
      try {
        tasks[index]?.();
      } catch (error) {
        logger.error({ err: error }, 'a change could not be taken into the owner graph');
      }
      if (performance.now() - since < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
    tasks.length = 0;
    busy = false;
  }

  return {
    get busy() {
      return busy;
    },
    push(task: () => void): void {
      tasks.push(task);
      if (busy) return;
      busy = true;
      queueMicrotask(drain);
    },
  };
}
