import type { Job, JobCondition, JobStatus } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { timestamp } from '../../conditions.ts';
import { isPodActive, isPodReady, isPodTerminal } from '../../pod-state.ts';
import { IndexSet } from './index-set.ts';
import { lastFailedPods, withFailedIndexes } from './per-index-backoff.ts';
import { type BackoffRecord, nextRecord } from './pod-backoff.ts';
import { failJobMessage, judgeFailure } from './pod-failure-policy.ts';
import { completionIndex, isIndexed, isPodFailed, isSuspended, isTracked } from './pods-of-job.ts';
import { metSuccessRule } from './success-policy.ts';

/** One look at a Job and its pods: what is there and what has been decided so far. */
export interface JobSync {
  readonly job: Job;
  readonly key: string;
  readonly now: number;
  readonly pods: readonly Pod[];
  /** Of `pods`, those that the status has not counted: they still have the finalizer. */
  readonly tracked: readonly Pod[];
  readonly activePods: readonly Pod[];
  readonly uncounted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> };
  readonly succeeded: number;
  readonly failed: number;
  readonly previousIndexes: IndexSet;
  readonly succeededIndexes: IndexSet;
  /** With backoffLimitPerIndex. */
  readonly failedIndexes: IndexSet | undefined;
  readonly lastFailed: ReadonlyMap<number, Pod>;
  readonly backoff: BackoffRecord;
  /** Changes as the sync goes on. */
  active: number;
  ready: number;
  terminating: number;
  /** SuccessCriteriaMet or FailureTarget: the Job will end so. */
  verdict: JobCondition | undefined;
}

/** @param released uids of pods whose finalizer is removed though the cache still shows it */
export function observe(
  job: Job,
  key: string,
  pods: readonly Pod[],
  released: ReadonlySet<string>,
  record: BackoffRecord | undefined,
  now: number,
): JobSync {
  const indexed = isIndexed(job);
  const completions = job.spec.completions ?? 0;
  const { status = {} } = job;
  const tracked = pods.filter((pod) => isTracked(pod) && !released.has(pod.metadata.uid!));
  const activePods = pods.filter(isPodActive);
  const uncounted = {
    succeeded: new Set(status.uncountedTerminatedPods?.succeeded),
    failed: new Set(status.uncountedTerminatedPods?.failed),
  };
  const fresh = (uncountedUids: ReadonlySet<string>, finished: (pod: Pod) => boolean) =>
    tracked.filter(
      (pod) =>
        !uncountedUids.has(pod.metadata.uid!) && (!indexed || completionIndex(job, pod) !== undefined) && finished(pod),
    );
  const newSucceeded = fresh(uncounted.succeeded, (pod) => pod.status?.phase === 'Succeeded');
  const newFailed = fresh(uncounted.failed, (pod) => isPodFailed(job, pod));
  const newCounted = newFailed.filter((pod) => judgeFailure(job, pod).counts).length;
  const previousIndexes = IndexSet.parse(indexed ? status.completedIndexes : undefined, completions);
  const succeededIndexes = previousIndexes.with(
    (indexed ? tracked : [])
      .filter((pod) => pod.status?.phase === 'Succeeded')
      .map((pod) => completionIndex(job, pod))
      .filter((index) => index !== undefined),
  );
  const perIndex = indexed && job.spec.backoffLimitPerIndex !== undefined;
  const activeIndexes = new Set(
    activePods.map((pod) => completionIndex(job, pod)).filter((index) => index !== undefined),
  );
  const sync: JobSync = {
    job,
    key,
    now,
    pods,
    tracked,
    activePods,
    uncounted,
    succeeded: indexed
      ? succeededIndexes.size
      : (status.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.size,
    failed: (status.failed ?? 0) + newCounted + uncounted.failed.size,
    previousIndexes,
    succeededIndexes,
    failedIndexes: perIndex
      ? withFailedIndexes(job, IndexSet.parse(status.failedIndexes, completions), tracked)
      : undefined,
    lastFailed: perIndex ? lastFailedPods(job, tracked, activeIndexes) : new Map(),
    backoff: nextRecord(record, newSucceeded, newFailed),
    active: activePods.length,
    ready: activePods.filter(isPodReady).length,
    terminating: pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod)).length,
    verdict: undefined,
  };
  return { ...sync, verdict: verdictOf(sync) };
}

/** A condition that ends the Job, whatever its pods still do; completion by count is found later. */
function verdictOf({ job, pods, now, failed, succeededIndexes, failedIndexes }: JobSync): JobCondition | undefined {
  const { spec, status } = job;
  const met = status?.conditions?.find(
    ({ type, status: value }) => (type === 'SuccessCriteriaMet' || type === 'FailureTarget') && value === 'True',
  );
  if (met) return met;
  const failure = (reason: string, message: string) => jobCondition('FailureTarget', reason, message, now);
  const byPolicy = failJobMessage(job, pods);
  if (byPolicy) return failure('PodFailurePolicy', byPolicy);
  if (failed > (spec.backoffLimit ?? 6) || restartedTooOften(job, pods))
    return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (untilDeadline(job, now) === 0)
    return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
  if (!isIndexed(job)) return undefined;
  if (failedIndexes) {
    if (spec.maxFailedIndexes !== undefined && failedIndexes.size > spec.maxFailedIndexes)
      return failure('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
    if (failedIndexes.size > 0 && failedIndexes.size + succeededIndexes.size >= (spec.completions ?? 0))
      return failure('FailedIndexes', 'Job has failed indexes');
  }
  const rule = metSuccessRule(job, succeededIndexes);
  return rule === undefined ? undefined : jobCondition('SuccessCriteriaMet', 'SuccessPolicy', rule, now);
}

/** Ms until activeDeadlineSeconds are over, 0 when they are; undefined when no clock runs. */
export function untilDeadline({ spec, status }: Pick<Job, 'spec' | 'status'>, now: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || !status?.startTime || spec.suspend) return undefined;
  return Math.max(0, Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000 - now);
}

/** With restartPolicy OnFailure the kubelet restarts containers: their restarts count together. */
function restartedTooOften({ spec }: Job, pods: readonly Pod[]): boolean {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods)
    if (status?.phase === 'Running' || status?.phase === 'Pending')
      for (const { restartCount } of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
        restarts += restartCount;
  const limit = spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

export function jobCondition(type: string, reason: string, message: string, now: number): JobCondition {
  const time = timestamp(now);
  return { type, status: 'True', reason, message, lastProbeTime: time, lastTransitionTime: time };
}

/** All wanted completions are there and nothing runs any more. */
export function isComplete({ job, succeeded, active }: JobSync): boolean {
  return active === 0 && (job.spec.completions === undefined ? succeeded > 0 : succeeded >= job.spec.completions);
}

/** The job with the time at which its clock started. */
export function withStartTime(job: Job, now: number): Job {
  if (job.status?.startTime || isSuspended(job)) return job;
  const status: JobStatus = { ...job.status, startTime: timestamp(now) };
  return { ...job, status };
}
