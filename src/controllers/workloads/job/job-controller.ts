import type { Job } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { controllerOf } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { Jobs, Pods } from '../../../client/resource-types.gen.ts';
import { conditionOf, timestamp, withCondition } from '../../conditions.ts';
import { forEachParallel } from '../../parallel.ts';
import {
  byControllerUid,
  type ControllerContext,
  type ControllerDefinition,
  createOwnWrites,
  defineController,
  noteGone,
  watch,
} from '../../runtime/index.ts';
import { adopters, BY_CONTROLLER, claim } from '../ownership.ts';
import { PodControl } from '../pod-control.ts';
import { JobPods } from './job-pods.ts';
import { isComplete, type JobSync, jobCondition, observe, untilDeadline, withStartTime } from './job-sync.ts';
import { track } from './job-tracking.ts';
import type { BackoffRecord } from './pod-backoff.ts';
import { isSuspended, isTracked, TRACKING_FINALIZER } from './pods-of-job.ts';

const OWN_WRITES_MS = 5_000;
/** Pods by `namespace/name` of their Job, whether it is there or not. */
const BY_JOB = 'controller-job';
const CONTROLLER = 'kubernetes.io/job-controller';

/** Runs pods to completion. */
export function jobController(): ControllerDefinition {
  return defineController({
    name: 'job-controller',
    concurrency: 5,
    setup(context) {
      const jobs = context.informer(Jobs);
      const pods = context.informer(Pods);
      const podWrites = createOwnWrites(pods);
      const jobWrites = createOwnWrites(jobs);
      const records = new Map<string, BackoffRecord>();
      /** Uids of pods whose finalizer is gone though the cache may not show it yet. */
      const released = new Map<string, Set<string>>();
      const control = new JobPods(context, new PodControl(context, podWrites), (key, pod) => {
        let uids = released.get(key);
        if (!uids) {
          uids = new Set();
          released.set(key, uids);
        }
        uids.add(pod.metadata.uid!);
      });

      function releasedOf(key: string, cached: readonly Pod[]): ReadonlySet<string> {
        const uids = released.get(key);
        if (!uids) return new Set();
        const shown = new Set(cached.filter(isTracked).map(({ metadata }) => metadata.uid));
        for (const uid of uids) if (!shown.has(uid)) uids.delete(uid);
        if (uids.size === 0) released.delete(key);
        return uids;
      }

      /** Nobody counts them: their Job is finished or gone. */
      async function letGo(key: string, job: Job | undefined): Promise<void> {
        const held = pods.byIndex(BY_JOB, key).filter((pod) => {
          if (!isTracked(pod)) return false;
          return !job || controllerOf(pod)?.uid !== job.metadata.uid || isFinished(job);
        });
        await forEachParallel(held, 16, (pod) => control.release(key, pod));
      }

      return {
        watches: [
          watch(Jobs),
          watch(Pods, {
            ownedBy: Jobs,
            indexes: { [BY_CONTROLLER]: byControllerUid, [BY_JOB]: jobKeyOf },
            observe: noteGone(podWrites),
          }),
          watch(Pods, { keys: (pod) => adopters(jobs, pod, (job) => job.spec.selector) }),
        ],
        async reconcile({ key }) {
          const cached = jobs.get(key);
          if (!cached || isFinished(cached)) {
            if (cached && !isOurs(cached)) return;
            records.delete(key);
            await letGo(key, cached);
            if (!cached) {
              released.delete(key);
              podWrites.forget(key);
              jobWrites.forget(key);
            }
            return;
          }
          if (!isOurs(cached)) return;
          if (podWrites.pending(key) || jobWrites.pending(key)) return { requeueAfterMs: OWN_WRITES_MS };
          const now = context.now();
          const job = withStartTime(cached, now);
          const claimed = await claim(context, {
            owner: job,
            ownerType: Jobs,
            selector: job.spec.selector,
            informer: pods,
            finalizers: [TRACKING_FINALIZER],
          });
          const sync = observe(job, key, claimed, releasedOf(key, claimed), records.get(key), now);
          const outcome = await act(context, control, sync);
          await track(context, outcome.sync, {
            stored: cached,
            pods: control,
            writes: jobWrites,
            recorded: (record) => void records.set(key, record),
          }).catch((error) => {
            if (!isStatusError(error, 'NotFound')) throw error;
          });
          if (outcome.failure) throw outcome.failure;
          const waits = [outcome.waitMs, untilDeadline(job, now)].filter((wait) => wait !== undefined && wait > 0);
          return waits.length > 0 ? { requeueAfterMs: Math.min(...(waits as number[])) } : undefined;
        },
      };
    },
  });
}

interface Outcome {
  readonly sync: JobSync;
  /** Ms after which more pods may be made. */
  readonly waitMs?: number;
  readonly failure?: unknown;
}

/** Brings the pods to where they should be. A failure is kept until the status is written. */
async function act(context: ControllerContext, control: JobPods, sync: JobSync): Promise<Outcome> {
  if (sync.verdict) {
    try {
      await control.deleteActive(sync);
      return { sync };
    } catch (failure) {
      // Not all pods are down: too early to say that the Job has ended.
      return { sync: { ...sync, verdict: undefined }, failure };
    }
  }
  let waitMs: number | undefined;
  let failure: unknown;
  const managed = !sync.job.metadata.deletionTimestamp;
  try {
    if (managed) waitMs = await control.manage(sync);
  } catch (error) {
    failure = error;
  }
  if (isComplete(sync)) {
    const { now } = sync;
    const reached = 'Reached expected number of succeeded pods';
    return {
      sync: { ...sync, verdict: jobCondition('SuccessCriteriaMet', 'CompletionsReached', reached, now) },
      failure,
    };
  }
  return { sync: managed ? withSuspension(context, sync) : sync, failure, ...(waitMs !== undefined ? { waitMs } : {}) };
}

/** The condition Suspended; a resumed Job's clock starts anew. */
function withSuspension({ events }: ControllerContext, sync: JobSync): JobSync {
  const { job, now } = sync;
  const current = conditionOf(job.status?.conditions, 'Suspended');
  const suspended = isSuspended(job);
  if (current ? (current.status === 'True') === suspended : !suspended) return sync;
  const word = suspended ? 'suspended' : 'resumed';
  const condition = {
    ...jobCondition('Suspended', suspended ? 'JobSuspended' : 'JobResumed', `Job ${word}`, now),
    status: suspended ? 'True' : 'False',
  };
  events.event(job, 'Normal', suspended ? 'Suspended' : 'Resumed', `Job ${word}`);
  const conditions = withCondition(job.status?.conditions, condition, now);
  const status = { ...job.status, conditions, ...(suspended ? {} : { startTime: timestamp(now) }) };
  return { ...sync, job: { ...job, status } };
}

function isFinished({ status }: Job): boolean {
  return Boolean(
    status?.conditions?.some(
      ({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True',
    ),
  );
}

const isOurs = ({ spec }: Job) => spec.managedBy === undefined || spec.managedBy === CONTROLLER;

function jobKeyOf(pod: Pod): readonly string[] {
  const reference = controllerOf(pod);
  if (reference?.kind !== 'Job' || !reference.apiVersion.startsWith('batch/')) return [];
  return [`${pod.metadata.namespace}/${reference.name}`];
}
