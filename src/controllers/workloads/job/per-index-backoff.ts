import type { Job } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import type { IndexSet } from './index-set.ts';
import { backoffLeft } from './pod-backoff.ts';
import { judgeFailure } from './pod-failure-policy.ts';
import { completionIndex, finishedAt, INDEX_FAILURES, INDEX_IGNORED_FAILURES, isPodFailed } from './pods-of-job.ts';

const countOf = (pod: Pod, annotation: string) => Number(pod.metadata.annotations?.[annotation] ?? 0) || 0;

/** This failed pod was the index's last chance. */
export function failsIndex(job: Job, pod: Pod): boolean {
  if (!isPodFailed(job, pod)) return false;
  const { action, counts } = judgeFailure(job, pod);
  return action === 'FailIndex' || (counts && countOf(pod, INDEX_FAILURES) >= (job.spec.backoffLimitPerIndex ?? 0));
}

/** Indexes that have failed for good, with those that `pods` (not counted yet) add. */
export function withFailedIndexes(job: Job, before: IndexSet, pods: readonly Pod[]): IndexSet {
  return before.with(
    pods
      .filter((pod) => failsIndex(job, pod))
      .map((pod) => completionIndex(job, pod))
      .filter((index) => index !== undefined),
  );
}

/**
 * The failed pods that must stay until their replacement is made, for they alone tell how often their index has failed.
 * `pods` are those not counted yet.
 */
export function lastFailedPods(job: Job, pods: readonly Pod[], activeIndexes: ReadonlySet<number>): Map<number, Pod> {
  const last = new Map<number, Pod>();
  const total = (pod: Pod) => countOf(pod, INDEX_FAILURES) + countOf(pod, INDEX_IGNORED_FAILURES);
  for (const pod of pods) {
    const index = completionIndex(job, pod);
    if (index === undefined || activeIndexes.has(index) || !isPodFailed(job, pod) || failsIndex(job, pod)) continue;
    const other = last.get(index);
    if (!other || total(other) <= total(pod)) last.set(index, pod);
  }
  return last;
}

/** Ms until a replacement of `pod` may be made. */
export function indexBackoffLeft(pod: Pod | undefined, now: number): number {
  if (!pod) return 0;
  const failures = countOf(pod, INDEX_FAILURES) + countOf(pod, INDEX_IGNORED_FAILURES) + 1;
  return backoffLeft({ failures, lastFailure: finishedAt(pod) }, now);
}

/** The annotations by which the replacement of `pod` remembers the failures of its index. */
export function failureAnnotations(job: Job, pod: Pod | undefined): Record<string, string> {
  const counts = pod ? judgeFailure(job, pod).counts : false;
  const failures = (pod ? countOf(pod, INDEX_FAILURES) : 0) + (pod && counts ? 1 : 0);
  const ignored = (pod ? countOf(pod, INDEX_IGNORED_FAILURES) : 0) + (pod && !counts ? 1 : 0);
  return { [INDEX_FAILURES]: String(failures), ...(ignored ? { [INDEX_IGNORED_FAILURES]: String(ignored) } : {}) };
}
