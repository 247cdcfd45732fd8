import type { Job } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { podCondition } from '../../pod-state.ts';

/** Keeps a pod in the API until its Job has counted it. */
export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
/** Annotation and label. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count';

export const isIndexed = (job: Job) => job.spec.completionMode === 'Indexed';
export const isSuspended = (job: Job) => job.spec.suspend === true;
export const isTracked = (pod: Pod) => pod.metadata.finalizers?.includes(TRACKING_FINALIZER) ?? false;

/** Undefined when the pod has none, or one that the Job does not (any more) have. */
export function completionIndex(job: Job, pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  const index = text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  return index !== undefined && index < (job.spec.completions ?? 0) ? index : undefined;
}

/** A pod on its way out is replaced only when it is gone for sure. */
export function replacesOnlyFailed(job: Job): boolean {
  return job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy !== undefined;
}

/** Failed, or deleted before it could end: such a pod may never reach a final phase. */
export function isPodFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (replacesOnlyFailed(job)) return false;
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

/** Epoch milliseconds at which the pod ended, as well as is known. */
export function finishedAt(pod: Pod): number {
  const statuses = pod.status?.containerStatuses ?? [];
  const ends = statuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  if (ends.length > 0 && ends.every((end) => !Number.isNaN(end))) return Math.max(...ends);
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime) return Date.parse(ready.lastTransitionTime);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata;
  if (deletionTimestamp) return Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return Date.parse(creationTimestamp ?? '');
}
