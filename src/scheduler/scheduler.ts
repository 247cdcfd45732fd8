import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../api/types/core.v1.gen.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { objectKey } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import {
  Namespaces,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  PodDisruptionBudgets,
  Pods,
  StorageClasses,
} from '../client/resource-types.gen.ts';
import { SchedulerCache } from './cache/cache.ts';
import { type PodInfo, podInfo } from './cache/node-info.ts';
import { Decider, type Decision, histogram, type NoDecision } from './decide.ts';
import type { ClusterEvent, SchedulerPlugin } from './framework.ts';
import { defaultPlugins } from './plugins/index.ts';
import { evictVictims, setPodScheduledFalse } from './pod-writes.ts';
import { findPreemption } from './preemption.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly logger: Logger;
  /** Pods with this `spec.schedulerName` are its own. */
  readonly schedulerName?: string;
  /** Beside the default ones; a plugin with a default's name takes its place. */
  readonly plugins?: readonly SchedulerPlugin[];
}

/** The event loop gets its turn after this long in a row. */
const SLICE_MS = 8;

/** Puts pods on nodes. `start` resolves when the caches are synced and scheduling goes on. */
export function createScheduler(options: SchedulerOptions): { start(): Promise<void>; stop(): Promise<void> } {
  return new Scheduler(options);
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #name: string;
  readonly #cache: SchedulerCache;
  readonly #queue: SchedulingQueue;
  readonly #plugins: readonly SchedulerPlugin[];
  readonly #decider: Decider;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #abort = new AbortController();
  readonly #binding = new Set<Promise<void>>();
  readonly #removeHandlers: (() => void)[] = [];
  #running = false;
  #loopPending = false;

  constructor(options: SchedulerOptions) {
    const { informers, client } = options;
    this.#options = options;
    this.#name = options.schedulerName ?? 'default-scheduler';
    this.#pods = informers.informer(Pods);
    this.#nodes = informers.informer(Nodes);
    this.#claims = informers.informer(PersistentVolumeClaims);
    this.#volumes = informers.informer(PersistentVolumes);
    const namespaces = informers.informer(Namespaces);
    const classes = informers.informer(StorageClasses);
    informers.informer(PodDisruptionBudgets);
    this.#cache = new SchedulerCache((name) => namespaces.get(name));
    const defaults = defaultPlugins({
      client,
      claims: this.#claims,
      volumes: this.#volumes,
      classes,
      resourceNames: this.#cache.resources.names,
    });
    const own = options.plugins ?? [];
    this.#plugins = [...defaults.filter((plugin) => !own.some((other) => other.name === plugin.name)), ...own];
    this.#decider = new Decider(this.#plugins);
    this.#queue = new SchedulingQueue({
      eventsOf: (name) => this.#plugins.find((plugin) => plugin.name === name)?.events,
      gate: (pod) => this.#plugins.map((plugin) => plugin.preEnqueue?.(pod)).find((text) => text !== undefined),
      onReady: () => this.#wake(),
    });
  }

  async start(): Promise<void> {
    const { informers } = this.#options;
    this.#watchCluster();
    informers.start();
    await informers.whenSynced(this.#abort.signal);
    this.#running = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#abort.abort(new Error('the scheduler is stopping'));
    for (const remove of this.#removeHandlers) remove();
    this.#queue.stop();
    await Promise.allSettled(this.#binding);
  }

  #watchCluster(): void {
    const handlers = this.#removeHandlers;
    handlers.push(
      this.#nodes.addHandler({
        onAdd: (node) => {
          this.#cache.setNode(node);
          this.#queue.notify('node-added');
        },
        onUpdate: (node, old) => {
          this.#cache.setNode(node);
          if (schedulingFacts(node) !== schedulingFacts(old)) this.#queue.notify('node-updated');
        },
        onDelete: (node) => this.#cache.removeNode(node.metadata.name),
      }),
      this.#pods.addHandler({
        onAdd: (pod) => this.#onPod(pod, undefined),
        onUpdate: (pod, old) => this.#onPod(pod, old),
        onDelete: (pod) => this.#onPodGone(pod),
      }),
    );
    const notify = (event: ClusterEvent) => () => this.#queue.notify(event);
    const watch = (event: ClusterEvent) => ({ onAdd: notify(event), onUpdate: notify(event), onDelete: notify(event) });
    handlers.push(this.#claims.addHandler(watch('claim-changed')), this.#volumes.addHandler(watch('volume-changed')));
    handlers.push(this.#options.informers.informer(StorageClasses).addHandler(watch('storage-class-changed')));
  }

  #onPod(pod: Pod, old: Pod | undefined): void {
    const key = objectKey(pod);
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
      this.#onPodGone(pod);
      return;
    }
    if (pod.spec.nodeName) {
      const isNew = !old?.spec.nodeName;
      this.#queue.done(key);
      if (
        isNew ||
        pod.metadata.labels !== old?.metadata.labels ||
        pod.spec !== old?.spec ||
        pod.metadata.deletionTimestamp !== old?.metadata.deletionTimestamp
      ) {
        this.#cache.setPod(pod);
      }
      if (isNew) this.#queue.notify('pod-added');
      else if (JSON.stringify(pod.metadata.labels) !== JSON.stringify(old?.metadata.labels))
        this.#queue.notify('pod-updated');
      return;
    }
    if (pod.spec.schedulerName !== undefined && pod.spec.schedulerName !== this.#name) return;
    if (pod.metadata.deletionTimestamp) {
      this.#queue.delete(key);
      return;
    }
    if (this.#cache.isAssumed(key)) return;
    this.#queue.put(
      key,
      pod,
      old === undefined ||
        old.metadata.generation !== pod.metadata.generation ||
        old.metadata.labels !== pod.metadata.labels,
    );
  }

  #onPodGone(pod: Pod): void {
    const key = objectKey(pod);
    this.#queue.delete(key);
    this.#cache.removePod(key);
    if (pod.spec.nodeName) this.#queue.notify('pod-deleted');
  }

  #wake(): void {
    if (!this.#running || this.#loopPending) return;
    this.#loopPending = true;
    setImmediate(() => this.#loop());
  }

  #loop(): void {
    this.#loopPending = false;
    const end = performance.now() + SLICE_MS;
    while (this.#running) {
      const item = this.#queue.pop();
      if (!item) return;
      this.#scheduleOne(item);
      if (performance.now() > end) {
        this.#wake();
        return;
      }
    }
  }

  #scheduleOne(item: QueuedPod): void {
    const info = podInfo(item.pod, this.#cache.resources);
    try {
      const outcome = this.#decider.decide(info, this.#cache);
      if ('node' in outcome) this.#reserveAndBind(item, info, outcome);
      else this.#handleFailure(item, info, outcome);
    } catch (error) {
      this.#options.logger.error({ err: error, pod: item.key }, 'scheduling failed');
      this.#queue.retry(item, []);
    }
  }

  #reserveAndBind(item: QueuedPod, info: PodInfo, { node, state }: Decision): void {
    const undo = () => {
      for (const plugin of [...this.#plugins].reverse()) plugin.unreserve?.(state, info.pod, node);
      this.#cache.forget(item.key);
    };
    this.#cache.assume(info, node.name);
    for (const plugin of this.#plugins) {
      const rejection = plugin.reserve?.(state, info.pod, node);
      if (!rejection) continue;
      undo();
      this.#queue.retry(item, [rejection.plugin]);
      return;
    }
    const work = this.#bind(item, info, { node, state }).catch(async (error) => {
      undo();
      if (isStatusError(error, 'NotFound') || this.#abort.signal.aborted) this.#queue.done(item.key);
      else {
        const message = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn({ pod: item.key, node: node.name, err: error }, 'binding failed');
        this.#options.recorder.event(item.pod, 'Warning', 'FailedScheduling', `binding rejected: ${message}`);
        this.#queue.retry(item, []);
      }
    });
    this.#binding.add(work);
    void work.finally(() => this.#binding.delete(work));
  }

  async #bind(item: QueuedPod, info: PodInfo, { node, state }: Decision): Promise<void> {
    const { pod } = info;
    for (const plugin of this.#plugins) await plugin.preBind?.(state, pod, node, this.#abort.signal);
    const { name, namespace, uid } = pod.metadata;
    await this.#options.client.for(Pods).createSubresource({ name, namespace: namespace! }, 'binding', {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node.name },
    });
    this.#queue.done(item.key);
    this.#options.recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${item.key} to ${node.name}`);
  }

  #handleFailure(item: QueuedPod, info: PodInfo, outcome: NoDecision): void {
    const budgets = this.#options.informers.informer(PodDisruptionBudgets).list();
    const preemption = findPreemption({
      pod: info,
      state: outcome.state,
      snapshot: this.#cache,
      plugins: this.#plugins,
      rejections: outcome.rejections,
      budgets,
    });
    const message = preemption ? outcome.message : `${outcome.message}${preemptionText(outcome)}`;
    this.#options.recorder.event(item.pod, 'Warning', 'FailedScheduling', message);
    this.#queue.retry(item, outcome.plugins);
    const work = this.#writeFailure(item.pod, message, preemption).catch((error) => {
      if (!isStatusError(error, 'NotFound') && !this.#abort.signal.aborted)
        this.#options.logger.warn({ err: error, pod: item.key }, "a pod's condition was not written");
    });
    this.#binding.add(work);
    void work.finally(() => this.#binding.delete(work));
  }

  async #writeFailure(pod: Pod, message: string, preemption: ReturnType<typeof findPreemption>): Promise<void> {
    const { client, recorder } = this.#options;
    await setPodScheduledFalse(client, pod, message, preemption?.node);
    if (preemption) await evictVictims(client, recorder, { preemptor: pod, schedulerName: this.#name, ...preemption });
  }
}

function preemptionText({ rejections }: NoDecision): string {
  if (rejections.size === 0) return '';
  const texts = [...rejections.values()].map((rejection) => ({
    ...rejection,
    reasons: [
      rejection.unresolvable
        ? 'Preemption is not helpful for scheduling'
        : 'No preemption victims found for incoming pod',
    ],
  }));
  return ` preemption: 0/${rejections.size} nodes are available: ${histogram(texts)}.`;
}

/** What of a node matters to scheduling, as text; heartbeats do not change it. */
function schedulingFacts(node: Node): string {
  return JSON.stringify([node.metadata.labels, node.spec?.taints, node.spec?.unschedulable, node.status?.allocatable]);
}
