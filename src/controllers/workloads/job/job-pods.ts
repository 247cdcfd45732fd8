import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { Jobs, Pods } from '../../../client/resource-types.gen.ts';
import { isPodReady, isPodTerminal } from '../../pod-state.ts';
import type { ControllerContext } from '../../runtime/index.ts';
import { inParallel, slowStart } from '../batches.ts';
import { type PodControl, podFromTemplate } from '../pod-control.ts';
import { rankForDeletion } from '../pod-ranking.ts';
import type { JobSync } from './job-sync.ts';
import { failureAnnotations, indexBackoffLeft } from './per-index-backoff.ts';
import { backoffLeft } from './pod-backoff.ts';
import {
  COMPLETION_INDEX,
  completionIndex,
  isIndexed,
  isSuspended,
  isTracked,
  replacesOnlyFailed,
  TRACKING_FINALIZER,
} from './pods-of-job.ts';

/** At most so many pods are made or deleted in one go. */
const BURST = 500;
const ENV_INDEX = 'JOB_COMPLETION_INDEX';

/** Makes and deletes the pods of Jobs. Counts what it did in the sync. */
export class JobPods {
  readonly #context: ControllerContext;
  readonly #control: PodControl;
  /** Told when a finalizer is gone. */
  readonly #released: (key: string, pod: Pod) => void;

  constructor(context: ControllerContext, control: PodControl, released: (key: string, pod: Pod) => void) {
    this.#context = context;
    this.#control = control;
    this.#released = released;
  }

  /** As many active pods as wanted now. Returns ms after which more may be made. */
  async manage(sync: JobSync): Promise<number | undefined> {
    const { job } = sync;
    if (isSuspended(job)) {
      await this.#remove(sync, [...sync.activePods]);
      return undefined;
    }
    const wanted = wantedActive(sync);
    const surplus = surplusPods(sync, Math.max(0, sync.active - wanted));
    if (surplus.length > 0) {
      await this.#remove(sync, surplus.slice(0, BURST));
      return undefined;
    }
    const room = Math.min(BURST, wanted - sync.active - (replacesOnlyFailed(job) ? sync.terminating : 0));
    if (room <= 0) return undefined;
    if (!sync.failedIndexes) {
      const left = backoffLeft(sync.backoff, sync.now);
      if (left > 0) return left;
    }
    if (!isIndexed(job)) {
      await this.#create(sync, Array.from({ length: room }));
      return undefined;
    }
    const pending = pendingIndexes(sync, room).map((index) => ({
      index,
      left: indexBackoffLeft(sync.lastFailed.get(index), sync.now),
    }));
    await this.#create(
      sync,
      pending.filter(({ left }) => left === 0).map(({ index }) => index),
    );
    const waiting = pending.filter(({ left }) => left > 0);
    return waiting.length > 0 ? Math.min(...waiting.map(({ left }) => left)) : undefined;
  }

  /** Of a Job that has ended: they count as they are, so their finalizers stay for the tracking. */
  async deleteActive(sync: JobSync): Promise<void> {
    await inParallel(sync.activePods, async (pod) => {
      await this.#control.delete(sync.key, sync.job, pod);
      countRemoved(sync, pod);
    });
  }

  /** Lets a pod go. False when that failed. */
  async release(key: string, pod: Pod): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    try {
      await this.#context.client.for(Pods).patch({ name, namespace: namespace! }, 'strategic', {
        metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING_FINALIZER] },
      });
    } catch (error) {
      if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
    }
    this.#released(key, pod);
  }

  /** Pods that were not needed: they must not be counted as failed. */
  async #remove(sync: JobSync, pods: readonly Pod[]): Promise<void> {
    await inParallel(pods, async (pod) => {
      if (isTracked(pod)) await this.release(sync.key, pod);
      await this.#control.delete(sync.key, sync.job, pod);
      countRemoved(sync, pod);
    });
  }

  async #create(sync: JobSync, indexes: readonly (number | undefined)[]): Promise<void> {
    await slowStart(indexes, async (index) => {
      await this.#control.create(sync.key, sync.job, Jobs, jobPod(sync, index));
      sync.active++;
    });
  }
}

function countRemoved(sync: JobSync, pod: Pod): void {
  sync.active--;
  sync.terminating++;
  if (isPodReady(pod)) sync.ready--;
}

function wantedActive({ job, active, succeeded }: JobSync): number {
  const { completions, parallelism = 1 } = job.spec;
  // A work queue: once a pod has succeeded, those that run finish, and no more come.
  if (completions === undefined) return succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(parallelism, completions - succeeded));
}

/** At least `count` pods, and all whose index is void or taken twice. */
function surplusPods({ job, activePods }: JobSync, count: number): Pod[] {
  const ranked = rankForDeletion(activePods, activePods);
  if (!isIndexed(job)) return ranked.slice(0, count);
  const surplus: Pod[] = [];
  const rest: Pod[] = [];
  const kept = new Set<number>();
  for (const pod of [...ranked].reverse()) {
    const index = completionIndex(job, pod);
    if (index === undefined || kept.has(index)) surplus.push(pod);
    else {
      kept.add(index);
      rest.unshift(pod);
    }
  }
  return [...surplus, ...rest.slice(0, Math.max(0, count - surplus.length))];
}

/** The lowest indexes that neither run nor are decided. */
function pendingIndexes({ job, pods, activePods, succeededIndexes, failedIndexes }: JobSync, count: number): number[] {
  const taken = new Set(activePods.map((pod) => completionIndex(job, pod)));
  if (replacesOnlyFailed(job))
    for (const pod of pods)
      if (pod.metadata.deletionTimestamp && !isPodTerminal(pod)) taken.add(completionIndex(job, pod));
  const pending: number[] = [];
  for (let index = 0; index < (job.spec.completions ?? 0) && pending.length < count; index++)
    if (!taken.has(index) && !succeededIndexes.has(index) && !failedIndexes?.has(index)) pending.push(index);
  return pending;
}

function jobPod({ job, failedIndexes, lastFailed }: JobSync, index: number | undefined) {
  const { name } = job.metadata;
  const pod = podFromTemplate(job.spec.template, index === undefined ? `${name}-` : `${indexedPrefix(name, index)}-`);
  pod.metadata.finalizers = [...new Set([...(pod.metadata.finalizers ?? []), TRACKING_FINALIZER])];
  if (index === undefined) return pod;
  pod.metadata.labels = { ...pod.metadata.labels, [COMPLETION_INDEX]: String(index) };
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [COMPLETION_INDEX]: String(index),
    ...(failedIndexes ? failureAnnotations(job, lastFailed.get(index)) : {}),
  };
  pod.spec.hostname = `${name}-${index}`;
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers])
    if (!container.env?.some((variable) => variable.name === ENV_INDEX))
      container.env = [...(container.env ?? []), { name: ENV_INDEX, valueFrom: { fieldRef } }];
  return pod;
}

/** Cut so that the random end of the name still fits. */
function indexedPrefix(name: string, index: number): string {
  const suffix = `-${index}`;
  return `${name.slice(0, 57 - suffix.length)}${suffix}`;
}
