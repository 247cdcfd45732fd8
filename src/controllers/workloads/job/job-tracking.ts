import type { Job, JobStatus } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { Jobs } from '../../../client/resource-types.gen.ts';
import { withCondition } from '../../conditions.ts';
import type { ControllerContext, OwnWrites } from '../../runtime/index.ts';
import { inParallel } from '../batches.ts';
import { canonical } from '../template-hash.ts';
import type { JobPods } from './job-pods.ts';
import { type JobSync, jobCondition } from './job-sync.ts';
import type { BackoffRecord } from './pod-backoff.ts';
import { judgeFailure } from './pod-failure-policy.ts';
import { completionIndex, isIndexed, isPodFailed } from './pods-of-job.ts';

/** The status lists at most so many pods as seen but not yet counted. */
const MAX_UNCOUNTED = 500;

export interface TrackingOptions {
  /** The Job as stored; the sync's may have a changed status. */
  readonly stored: Job;
  readonly pods: JobPods;
  readonly writes: OwnWrites<Job>;
  /** The status now includes what this record was made of. */
  readonly recorded: (record: BackoffRecord) => void;
}

/**
 * Counts finished pods, each exactly once: its uid is written into the status first, then its finalizer is removed, then
 * the uid becomes part of a counter. At last the Job is declared finished.
 */
export async function track(context: ControllerContext, sync: JobSync, options: TrackingOptions): Promise<void> {
  const { pods, writes, recorded } = options;
  const { job, key, now } = sync;
  const tracked = new Set(sync.tracked.map(({ metadata }) => metadata.uid!));
  const counted = countPods(sync, {
    ...job.status,
    active: sync.active,
    ready: sync.ready,
    terminating: sync.terminating,
  });
  let { stored } = options;
  let status = settleUncounted(counted.status, tracked);
  if (sync.verdict) status = withVerdict(status, sync);

  const write = async (next: JobStatus) => {
    if (canonical(clean(next)) === canonical(clean(stored.status ?? {}))) return;
    stored = await context.client.for(Jobs).updateStatus({ ...stored, status: clean(next) });
    writes.wrote(key, stored);
  };

  const finish = (next: JobStatus): JobStatus =>
    counted.complete && sync.verdict && uncountedOf(next) === 0 && sync.terminating === 0
      ? finished(next, sync, now)
      : next;
  if (counted.release.length > 0) {
    await write(status);
    recorded(sync.backoff);
    let failure: unknown;
    await inParallel(counted.release, async (pod) => {
      await pods.release(key, pod);
      tracked.delete(pod.metadata.uid!);
    }).catch((error: unknown) => {
      failure = error;
    });
    status = settleUncounted(status, tracked);
    if (failure) {
      await write(status);
      throw failure;
    }
  }
  const last = finish(status);
  await write(last);
  if (last !== status) announce(context, stored);
}

interface Counted {
  readonly status: JobStatus;
  /** Pods whose finalizer goes once the status is written. */
  readonly release: readonly Pod[];
  /** Nothing was left for the next sync. */
  readonly complete: boolean;
}

function countPods(sync: JobSync, before: JobStatus): Counted {
  const { job, uncounted, verdict } = sync;
  const indexed = isIndexed(job);
  const succeeded = [...(before.uncountedTerminatedPods?.succeeded ?? [])];
  const failed = [...(before.uncountedTerminatedPods?.failed ?? [])];
  const newIndexes = new Set<number>();
  const release: Pod[] = [];
  let complete = true;
  const order = (pod: Pod) => completionIndex(job, pod) ?? Number.POSITIVE_INFINITY;
  const inOrder = indexed ? [...sync.tracked].sort((a, b) => order(a) - order(b) || 0) : sync.tracked;
  for (const pod of inOrder) {
    const uid = pod.metadata.uid!;
    const podFailed = isPodFailed(job, pod);
    const podSucceeded = pod.status?.phase === 'Succeeded';
    if (!podFailed && !podSucceeded && !verdict && !job.metadata.deletionTimestamp) continue;
    const index = completionIndex(job, pod);
    // The last failed pod of an index remembers the failures until there is a replacement.
    if (!verdict && !job.metadata.deletionTimestamp && index !== undefined && sync.lastFailed.get(index) === pod)
      continue;
    release.push(pod);
    if (podSucceeded && !uncounted.failed.has(uid)) {
      if (!indexed) {
        if (!uncounted.succeeded.has(uid)) succeeded.push(uid);
      } else if (index !== undefined && !sync.previousIndexes.has(index)) newIndexes.add(index);
    } else if (podFailed || verdict?.type === 'FailureTarget') {
      // When the Job fails, what still ran has failed with it.
      const counts = !uncounted.failed.has(uid) && (!indexed || index !== undefined);
      if (counts && judgeFailure(job, pod).counts) failed.push(uid);
    }
    if (newIndexes.size + succeeded.length + failed.length >= MAX_UNCOUNTED) {
      complete = false;
      break;
    }
  }
  let status: JobStatus = { ...before, uncountedTerminatedPods: { succeeded, failed } };
  if (indexed) {
    const completed = sync.previousIndexes.with(newIndexes);
    status = { ...status, succeeded: completed.size, completedIndexes: completed.toString() };
    if (sync.failedIndexes) status = { ...status, failedIndexes: sync.failedIndexes.toString() };
  }
  return { status, release, complete };
}

/** Moves uids of pods that have lost their finalizer into the counters. */
function settleUncounted(status: JobStatus, tracked: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const left = {
    succeeded: succeeded.filter((uid) => tracked.has(uid)),
    failed: failed.filter((uid) => tracked.has(uid)),
  };
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - left.succeeded.length,
    failed: (status.failed ?? 0) + failed.length - left.failed.length,
    uncountedTerminatedPods: left,
  };
}

function withVerdict(status: JobStatus, { verdict, now }: JobSync): JobStatus {
  if (!verdict || status.conditions?.some(({ type, status: value }) => type === verdict.type && value === 'True'))
    return status;
  return { ...status, conditions: withCondition(status.conditions, verdict, now) };
}

/** The terminal condition follows from the verdict. */
function finished(status: JobStatus, { verdict }: JobSync, now: number): JobStatus {
  const { type, reason = '', message = '' } = verdict!;
  const condition = jobCondition(type === 'SuccessCriteriaMet' ? 'Complete' : 'Failed', reason, message, now);
  return {
    ...status,
    conditions: withCondition(status.conditions, condition, now),
    ...(condition.type === 'Complete' ? { completionTime: condition.lastTransitionTime! } : {}),
  };
}

function uncountedOf({ uncountedTerminatedPods }: JobStatus): number {
  return (uncountedTerminatedPods?.succeeded?.length ?? 0) + (uncountedTerminatedPods?.failed?.length ?? 0);
}

/** Without what is empty, but for the fields that are always there. */
function clean(status: JobStatus): JobStatus {
  const { succeeded, failed } = status.uncountedTerminatedPods ?? {};
  const {
    active,
    succeeded: successes,
    failed: failures,
    completedIndexes,
    uncountedTerminatedPods: _,
    ...rest
  } = status;
  return {
    ...rest,
    ...(active ? { active } : {}),
    ...(successes ? { succeeded: successes } : {}),
    ...(failures ? { failed: failures } : {}),
    ...(completedIndexes ? { completedIndexes } : {}),
    uncountedTerminatedPods: {
      ...(succeeded?.length ? { succeeded } : {}),
      ...(failed?.length ? { failed } : {}),
    },
  };
}

function announce({ events }: ControllerContext, job: Job): void {
  const { conditions, succeeded = 0 } = job.status ?? {};
  const failed = conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  if (failed) {
    events.event(job, 'Warning', failed.reason ?? '', failed.message ?? '');
    return;
  }
  if (job.spec.completions !== undefined && succeeded > job.spec.completions)
    events.event(
      job,
      'Warning',
      'TooManySucceededPods',
      'Too many succeeded pods running after completion count reached',
    );
  events.event(job, 'Normal', 'Completed', 'Job completed');
}
