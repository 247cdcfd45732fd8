import { mkdir } from 'node:fs/promises';
import type { Node, Pod, PodStatus } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { Pods } from '../../client/resource-types.gen.ts';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import type { ConfigCache } from '../config-cache.ts';
import { podRequestsAndLimits } from '../containers/resources.ts';
import { terminationMessage } from '../containers/termination-message.ts';
import type { KubeletPaths } from '../kubelet-paths.ts';
import type { ProbeManager } from '../probes/probe-manager.ts';
import type { TokenSource } from '../volumes/service-account-token.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import type { ContainerKiller } from './container-killer.ts';
import { admitPod, admitResize } from './pod-admission.ts';
import type { PodCleanup } from './pod-cleanup.ts';
import type { PodEvents } from './pod-events.ts';
import { podStatus } from './pod-status.ts';
import type { PodSyncer } from './pod-syncer.ts';
import { NotReadyError, type PodSteps, type PodWorker } from './pod-worker.ts';
import { grantedBefore, resizeMessage, sameResources } from './resize.ts';
import type { RuntimeCache } from './runtime-cache.ts';
import { hasRunningContainers, type RuntimePod } from './runtime-pod.ts';
import type { StatusManager } from './status-manager.ts';

/** How often a resize that waits for room is looked at again. */
const DEFERRED_RESIZE_MS = 10_000;

export interface PodStepsOptions {
  readonly client: Client;
  readonly cache: RuntimeCache;
  readonly syncer: PodSyncer;
  readonly killer: ContainerKiller;
  readonly probes: ProbeManager;
  readonly volumes: VolumeManager;
  readonly cleanup: PodCleanup;
  readonly status: StatusManager;
  readonly config: ConfigCache;
  readonly tokens: TokenSource;
  readonly paths: KubeletPaths | undefined;
  readonly cgroups: CgroupManager | undefined;
  readonly logger: Logger;
  readonly runtimeName: string;
  readonly now: () => number;
  eventsOf(pod: Pod): PodEvents;
  node(): Node | undefined;
  hostIPs(): readonly string[];
  /** Pods that hold resources of the node, this one aside. */
  otherPods(uid: string): readonly Pod[];
  /** Why pods that need the pod network can't start, if they can't. */
  networkError(): string | undefined;
  onRemoved(worker: PodWorker): void;
}

/** The steps of a pod's life over the runtime, the volumes and the API server. */
export function createPodSteps(options: PodStepsOptions): PodSteps {
  const { cache, status, probes } = options;
  const totals = new WeakMap<Pod, ReturnType<typeof podRequestsAndLimits>>();

  /** A full node asks for the totals of all its pods at every new one. */
  function totalsOf(pod: Pod): ReturnType<typeof podRequestsAndLimits> {
    const known = totals.get(pod) ?? podRequestsAndLimits(pod);
    totals.set(pod, known);
    return known;
  }

  function report(worker: PodWorker, runtime: RuntimePod, terminal: boolean): PodStatus {
    const before = status.get(worker.uid) ?? worker.pod.status;
    const resizing = !terminal && options.syncer.resizing(worker.allocated, runtime);
    if (!terminal && !resizing && worker.resizing !== undefined) {
      const { metadata, spec } = worker.allocated;
      const done = { metadata: { ...metadata, generation: worker.resizing }, spec };
      worker.resizing = undefined;
      options.eventsOf(worker.pod).normal('ResizeCompleted', resizeMessage('Pod resize completed', done));
    }
    const next = podStatus({
      pod: worker.allocated,
      runtime,
      previous: before,
      failures: worker.failures,
      readiness: probes,
      hostIPs: options.hostIPs(),
      runtimeName: options.runtimeName,
      terminationMessage: options.paths ? terminationMessage : ({ message }) => message,
      terminal,
      resizePending: terminal ? undefined : worker.resizePending,
      resizing,
      ...(worker.verdict ? { verdict: worker.verdict } : {}),
      now: options.now(),
    });
    // The end is told once nothing runs any more: sidecars outlive the main containers.
    const told = isOver(next) && hasRunningContainers(runtime) ? { ...next, phase: before?.phase ?? 'Running' } : next;
    status.set(worker.pod, told);
    return next;
  }

  function admit(worker: PodWorker, runtime: RuntimePod): void {
    if (worker.admitted) return;
    const node = options.node();
    // A pod that runs already was admitted before a restart.
    const verdict =
      runtime.containers.length > 0 || !node
        ? undefined
        : admitPod(worker.pod, options.otherPods(worker.uid), node, totalsOf);
    worker.admitted = true;
    if (!verdict) return;
    worker.verdict = verdict;
    options.eventsOf(worker.pod).warning(verdict.reason, verdict.message.replace(/^Pod was rejected: /, ''));
  }

  /** Grants the resources that the pod asks for, or keeps those that it has. */
  function grant(worker: PodWorker): Pod {
    const { pod } = worker;
    const node = options.node();
    if (!worker.granted) recallResize(worker);
    const asksAgain = worker.granted && node && !sameResources(worker.granted, pod);
    const pending = asksAgain ? admitResize(pod, options.otherPods(worker.uid), node, totalsOf) : undefined;
    const told = worker.resizePending;
    worker.resizePending = pending;
    if (!pending) {
      if (asksAgain) {
        worker.resizing = pod.metadata.generation ?? 0;
        options.eventsOf(pod).normal('ResizeStarted', resizeMessage('Pod resize started', pod));
      }
      worker.granted = pod;
      return pod;
    }
    const { reason, message } = pending;
    if (told?.reason !== reason || told.message !== message)
      options.eventsOf(pod).warning(`Resize${reason}`, resizeMessage(`Pod resize ${reason}`, pod, message));
    if (reason === 'Deferred') wakeAt(worker, options.now() + DEFERRED_RESIZE_MS);
    return worker.allocated;
  }

  /** What the kubelet before this one granted, refused and began. */
  function recallResize(worker: PodWorker): void {
    const { pod } = worker;
    worker.granted = grantedBefore(pod);
    const conditions = pod.status?.conditions ?? [];
    const pending = conditions.find(({ type }) => type === 'PodResizePending');
    if (pending) worker.resizePending = { reason: pending.reason ?? '', message: pending.message ?? '' };
    const begun = conditions.find(({ type }) => type === 'PodResizeInProgress');
    if (begun) worker.resizing = begun.observedGeneration ?? 0;
  }

  /** Ends a pod that was active for too long; wakes the worker when that time comes. */
  function checkDeadline(worker: PodWorker, startTime: string | undefined): boolean {
    const seconds = worker.pod.spec.activeDeadlineSeconds;
    if (seconds === undefined || !startTime) return false;
    const deadline = Date.parse(startTime) + seconds * 1000;
    if (deadline > options.now()) {
      wakeAt(worker, deadline);
      return false;
    }
    worker.verdict = {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
    options.eventsOf(worker.pod).normal('DeadlineExceeded', worker.verdict.message);
    return true;
  }

  const wakeAt = (worker: PodWorker, time: number) => {
    worker.wakeAt = Math.min(worker.wakeAt ?? time, time);
  };

  return {
    async sync(worker, signal) {
      const { uid } = worker;
      const events = options.eventsOf(worker.pod);
      const runtime = await cache.refresh(uid);
      admit(worker, runtime);
      const pod = grant(worker);
      const current = report(worker, runtime, false);
      if (worker.verdict || isOver(current) || checkDeadline(worker, current.startTime)) return true;
      const network = options.networkError();
      if (network && !pod.spec.hostNetwork) {
        events.warning('NetworkNotReady', `network is not ready: ${network}`);
        throw new NotReadyError(`network is not ready: ${network}`);
      }
      options.config.register(pod);
      if (options.paths) await mkdir(options.paths.podDir(uid), { recursive: true, mode: 0o750 });
      await options.cgroups?.ensure(pod);
      const mounted = await options.volumes.mount(
        pod,
        (volume, message) =>
          events.warning('FailedMount', `MountVolume.SetUp failed for volume "${volume}" : ${message}`),
        signal,
      );
      probes.add(pod);
      const { failures, started } = await options.syncer.sync(pod, runtime, mounted, events, signal);
      for (const name of started) worker.failures.delete(name);
      for (const [name, failure] of failures) {
        worker.failures.set(name, failure);
        wakeAt(worker, failure.retryAt ?? options.now() + 10_000);
      }
      const after = cache.get(uid) ?? runtime;
      probes.poke(uid);
      const reported = report(worker, after, false);
      await options.cleanup.collectGarbage(after);
      return isOver(reported);
    },

    async terminate(worker, signal) {
      const { pod, uid } = worker;
      probes.stopLivenessAndStartup(uid);
      const runtime = await cache.refresh(uid);
      if (!isOver(pod.status) && !worker.gone) report(worker, runtime, false);
      if (
        pod.metadata.deletionTimestamp ||
        worker.gone ||
        worker.verdict ||
        hasRunningContainers(runtime) ||
        runtime.sandboxes.some(({ state }) => state === 'ready')
      ) {
        await options.killer.killPod(pod, runtime, options.eventsOf(pod), worker.graceSeconds, signal);
      }
      probes.remove(uid);
      const after = await cache.refresh(uid);
      if (hasRunningContainers(after)) throw new Error('containers are running still');
      if (!worker.gone) report(worker, after, true);
    },

    async release(worker) {
      const { uid } = worker;
      await options.cleanup.releaseResources(uid);
      options.config.unregister(uid);
      options.tokens.forget(uid);
      options.syncer.forget(uid);
      await status.flush(uid);
      // Of now: it may have been deleted meanwhile.
      const { name, namespace = 'default', deletionTimestamp } = worker.pod.metadata;
      if (worker.gone) return true;
      if (!deletionTimestamp) return false;
      try {
        await options.client.for(Pods).delete({ name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
      }
      return true;
    },

    async remove(worker) {
      await options.cleanup.removeTraces(await cache.refresh(worker.uid));
      await cache.refresh(worker.uid);
      status.forget(worker.uid);
      options.onRemoved(worker);
    },
  };
}

const isOver = (status: PodStatus | undefined): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
