import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import { messageOf } from '../containers/container-error.ts';
import { gracePeriodOf } from '../containers/container-labels.ts';
import type { ContainerKiller } from './container-killer.ts';
import type { PodCleanup } from './pod-cleanup.ts';
import { OWNED_CONDITIONS } from './pod-conditions.ts';
import type { PodEvents } from './pod-events.ts';
import { type PodSteps, PodWorker } from './pod-worker.ts';
import type { RuntimeCache } from './runtime-cache.ts';
import { emptyRuntimePod } from './runtime-pod.ts';

const HOUSEKEEPING_MS = 60_000;
const REMOVE_GRACE_SECONDS = 5;

/** What the steps of a pod need of all pods together. */
export interface WorkerHooks {
  otherPods(uid: string): readonly Pod[];
  onRemoved(worker: PodWorker): void;
}

export interface PodWorkersOptions {
  readonly cache: RuntimeCache;
  readonly cleanup: PodCleanup;
  readonly killer: ContainerKiller;
  readonly cgroups: CgroupManager | undefined;
  readonly logger: Logger;
  eventsOf(pod: Pod): PodEvents;
  steps(hooks: WorkerHooks): PodSteps;
}

/** One worker per pod, and the end of pods that have none: those the API server forgot while this kubelet was away. */
export interface PodWorkers {
  add(pod: Pod): void;
  update(pod: Pod, old: Pod): void;
  remove(pod: Pod): void;
  wake(uid: string): void;
  runtimeChanged(uid: string): void;
  pods(): Iterable<Pod>;
  /** After the pods there are were added: from now on what has no worker is an orphan. */
  start(): void;
  stop(): Promise<void>;
  removeAll(): Promise<void>;
}

const silent: PodEvents = { normal() {}, warning() {} };

export function createPodWorkers(options: PodWorkersOptions): PodWorkers {
  const { cache, cleanup, killer, logger } = options;
  const workers = new Map<string, PodWorker>();
  const removing = new Set<string>();
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  const steps = options.steps({
    otherPods: (uid) =>
      [...workers.values()]
        .filter(
          (worker) =>
            worker.uid !== uid &&
            worker.admitted &&
            !worker.verdict &&
            worker.state !== 'finished' &&
            worker.state !== 'terminated',
        )
        .map(({ allocated }) => allocated),
    onRemoved(worker) {
      workers.delete(worker.uid);
      updateShares();
    },
  });

  function updateShares(): void {
    const pods = [...workers.values()].map(({ pod }) => pod);
    void options.cgroups
      ?.updateBurstable(pods)
      .catch((error) => logger.debug({ error: messageOf(error) }, 'cgroup shares could not be set'));
  }

  /** Ends and removes a pod that only the runtime, or only the disk, knows. */
  async function removeOrphan(uid: string, graceSeconds?: number): Promise<void> {
    if (removing.has(uid)) return;
    removing.add(uid);
    try {
      const runtimePod = cache.get(uid) ?? emptyRuntimePod(uid);
      logger.info({ pod: runtimePod.name, uid }, 'removing a pod that the API server does not know');
      await killer.killPod(undefined, runtimePod, silent, graceSeconds, abort.signal);
      await cleanup.removeTraces(await cache.refresh(uid));
      await cache.refresh(uid);
    } finally {
      removing.delete(uid);
    }
  }

  async function housekeep(): Promise<void> {
    const known = new Set([...cache.list().map(({ uid }) => uid), ...(await cleanup.podsWithTraces())]);
    for (const uid of known) {
      if (workers.has(uid)) continue;
      void removeOrphan(uid).catch(
        (error) =>
          !abort.signal.aborted &&
          logger.warn({ uid, error: messageOf(error) }, 'an orphaned pod could not be removed'),
      );
    }
  }

  function schedule(): void {
    timer = setTimeout(
      () =>
        void housekeep()
          .catch((error) => logger.warn({ error: messageOf(error) }, 'housekeeping failed'))
          .finally(() => !abort.signal.aborted && schedule()),
      HOUSEKEEPING_MS,
    );
    timer.unref();
  }

  return {
    add(pod) {
      const uid = pod.metadata.uid ?? '';
      const known = workers.get(uid);
      if (known) return known.update(pod);
      const worker = new PodWorker(pod, steps, logger);
      workers.set(uid, worker);
      worker.wake();
      updateShares();
    },
    update(pod, old) {
      const worker = workers.get(pod.metadata.uid ?? '');
      if (!worker) return this.add(pod);
      if (matters(pod, old)) worker.update(pod);
      else worker.pod = pod;
    },
    remove(pod) {
      workers.get(pod.metadata.uid ?? '')?.markGone(pod);
    },
    wake(uid) {
      workers.get(uid)?.wake();
    },
    runtimeChanged(uid) {
      workers.get(uid)?.wake();
    },
    *pods() {
      for (const worker of workers.values()) yield worker.pod;
    },
    start() {
      void housekeep().catch((error) => logger.warn({ error: messageOf(error) }, 'housekeeping failed'));
      schedule();
    },
    async stop() {
      abort.abort(new Error('the kubelet stops'));
      clearTimeout(timer);
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
    },
    async removeAll() {
      const uids = new Set([...cache.list().map(({ uid }) => uid), ...(await cleanup.podsWithTraces())]);
      const outcomes = await Promise.allSettled(
        [...uids].map(async (uid) => {
          const pod = await cache.refresh(uid);
          const grace = Math.min(REMOVE_GRACE_SECONDS, ...pod.containers.map(gracePeriodOf));
          const endless = new AbortController().signal;
          await killer.killPod(undefined, pod, silent, grace, endless);
          await cleanup.removeTraces(await cache.refresh(uid));
        }),
      );
      workers.clear();
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    },
  };
}

/** Whether an update is more than the echo of our own status. */
function matters(pod: Pod, old: Pod): boolean {
  if (
    pod.metadata.generation !== old.metadata.generation ||
    pod.metadata.deletionTimestamp !== old.metadata.deletionTimestamp
  )
    return true;
  if (pod.metadata.deletionGracePeriodSeconds !== old.metadata.deletionGracePeriodSeconds) return true;
  const foreign = ({ status }: Pod) =>
    (status?.conditions ?? [])
      .filter(({ type }) => !OWNED_CONDITIONS.has(type))
      .map(({ type, status: value }) => [type, value]);
  const essence = (one: Pod) =>
    JSON.stringify([
      one.spec,
      one.metadata.labels,
      one.metadata.annotations,
      one.status?.phase === 'Failed',
      foreign(one),
    ]);
  return essence(pod) !== essence(old);
}
