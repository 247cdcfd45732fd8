import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { finishedAt } from './pods-of-job.ts';

const FIRST_MS = 10_000;
const LAST_MS = 600_000;

/** Failures since a Job's last success: they slow the making of more pods down. */
export interface BackoffRecord {
  readonly failures: number;
  /** Epoch milliseconds of the last one. */
  readonly lastFailure: number;
}

/** `before` with pods that have just been found finished. */
export function nextRecord(
  before: BackoffRecord | undefined,
  succeeded: readonly Pod[],
  failed: readonly Pod[],
): BackoffRecord {
  const lastSuccess = Math.max(...succeeded.map(finishedAt), Number.NEGATIVE_INFINITY);
  const since = failed.map(finishedAt).filter((time) => time > lastSuccess);
  const carried = succeeded.length > 0 ? 0 : (before?.failures ?? 0);
  return {
    failures: carried + since.length,
    lastFailure: Math.max(...since, carried > 0 ? (before?.lastFailure ?? 0) : 0),
  };
}

/** Ms until another pod may be made: 10 s after the first failure, doubled with each to 10 min. */
export function backoffLeft({ failures, lastFailure }: BackoffRecord, now: number): number {
  if (failures <= 0) return 0;
  return Math.max(0, lastFailure + Math.min(LAST_MS, FIRST_MS * 2 ** (failures - 1)) - now);
}
