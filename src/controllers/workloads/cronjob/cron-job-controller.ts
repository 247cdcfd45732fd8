import { timeZoneProblem } from '../../../api/batch/time-zone.ts';
import type { CronJob, CronJobStatus, Job } from '../../../api/types/batch.v1.gen.ts';
import type { ObjectReference } from '../../../api/types/core.v1.gen.ts';
import { controllerOf } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { CronJobs, Jobs } from '../../../client/resource-types.gen.ts';
import { timestamp } from '../../conditions.ts';
import { ignoreNotFound } from '../../parallel.ts';
import {
  byControllerUid,
  type ControllerContext,
  type ControllerDefinition,
  controllerReference,
  createOwnWrites,
  defineController,
  noteGone,
  watch,
} from '../../runtime/index.ts';
import { BY_CONTROLLER } from '../ownership.ts';
import { canonical } from '../template-hash.ts';
import { type ScheduleTimes, scheduleTimes, zonedTime } from './schedule-times.ts';

const OWN_WRITES_MS = 5_000;
const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/** Starts Jobs by schedule. */
export function cronJobController(): ControllerDefinition {
  return defineController({
    name: 'cronjob-controller',
    concurrency: 5,
    setup(context) {
      const cronJobs = context.informer(CronJobs);
      const jobs = context.informer(Jobs);
      const writes = createOwnWrites(cronJobs);
      const jobWrites = createOwnWrites(jobs);
      return {
        watches: [
          watch(CronJobs),
          watch(Jobs, {
            ownedBy: CronJobs,
            indexes: { [BY_CONTROLLER]: byControllerUid },
            observe: noteGone(jobWrites),
          }),
        ],
        async reconcile({ key }) {
          const cronJob = cronJobs.get(key);
          if (!cronJob) {
            writes.forget(key);
            jobWrites.forget(key);
            return;
          }
          if (writes.pending(key) || jobWrites.pending(key)) return { requeueAfterMs: OWN_WRITES_MS };
          const children = jobs.byIndex(BY_CONTROLLER, cronJob.metadata.uid!);
          const sync = new CronJobSync(context, cronJob, (job) => jobWrites.wrote(key, job));
          let failure: unknown;
          let requeueAfterMs: number | undefined;
          try {
            await sync.reviewJobs(children);
            requeueAfterMs = await sync.startDue();
          } catch (error) {
            failure = error;
          }
          await sync.cleanUp(children);
          if (canonical(sync.status) !== canonical(cronJob.status ?? {}))
            writes.wrote(key, await context.client.for(CronJobs).updateStatus({ ...cronJob, status: sync.status }));
          if (failure) throw failure;
          return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
        },
      };
    },
  });
}

class CronJobSync {
  status: CronJobStatus;
  readonly #context: ControllerContext;
  readonly #cronJob: CronJob;
  readonly #wrote: (job: Job) => void;

  constructor(context: ControllerContext, cronJob: CronJob, wrote: (job: Job) => void) {
    this.#context = context;
    this.#cronJob = cronJob;
    this.#wrote = wrote;
    this.status = cronJob.status ?? {};
  }

  get #active(): readonly ObjectReference[] {
    return this.status.active ?? [];
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(this.#cronJob, type, reason, message);
  }

  #setActive(active: readonly ObjectReference[]): void {
    const { active: _, ...rest } = this.status;
    this.status = active.length > 0 ? { ...rest, active } : rest;
  }

  #forget(uid: string | undefined): void {
    this.#setActive(this.#active.filter((reference) => reference.uid !== uid));
  }

  /** Brings the list of active Jobs to what has become of them. */
  async reviewJobs(children: readonly Job[]): Promise<void> {
    for (const job of children) {
      const { uid, name } = job.metadata;
      const listed = this.#active.some((reference) => reference.uid === uid);
      const end = finishedAs(job);
      if (!listed && !end)
        this.#event('Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`);
      if (listed && end) {
        this.#forget(uid);
        this.#event('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`);
      }
      const completed = end === 'Complete' ? job.status?.completionTime : undefined;
      if (completed && completed > (this.status.lastSuccessfulTime ?? ''))
        this.status = { ...this.status, lastSuccessfulTime: completed };
    }
    for (const { uid, name = '' } of this.#active) {
      if (children.some(({ metadata }) => metadata.uid === uid)) continue;
      const { namespace } = this.#cronJob.metadata;
      // The cache may be behind.
      const job = await this.#context.client.for(Jobs).get({ name, namespace: namespace! }).catch(ignoreNotFound);
      if (job?.metadata.uid === uid) continue;
      this.#event('Normal', 'MissingJob', `Active job went missing: ${name}`);
      this.#forget(uid);
    }
  }

  /** Starts the Job that is due. Returns ms until the next scheduled time. */
  async startDue(): Promise<number | undefined> {
    const { metadata, spec } = this.#cronJob;
    const now = this.#context.now();
    if (metadata.deletionTimestamp || spec.suspend) return undefined;
    const times = this.#times(now);
    if (!times) return undefined;
    const { due, untilNext } = times;
    if (times.tooManyMissed)
      this.#event(
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      );
    if (due === undefined) return untilNext;
    if (spec.startingDeadlineSeconds !== undefined && due + spec.startingDeadlineSeconds * 1000 < now) {
      const text = new Date(due).toUTCString().replace('GMT', '+0000');
      this.#event('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${text}`);
      return untilNext;
    }
    const name = `${metadata.name}-${Math.floor(due / 60_000)}`;
    const handled = this.#active.some((reference) => reference.name === name);
    if (handled || this.status.lastScheduleTime === timestamp(due)) return untilNext;
    if (spec.concurrencyPolicy === 'Forbid' && this.#active.length > 0) {
      const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      this.#event('Normal', 'JobAlreadyActive', message);
      return untilNext;
    }
    if (spec.concurrencyPolicy === 'Replace')
      for (const { name: running, uid } of this.#active) {
        await this.#delete(running!);
        this.#forget(uid);
      }
    const job = await this.#create(name, due);
    if (!job) return untilNext;
    const { resourceVersion, uid, namespace } = job.metadata;
    const reference = {
      kind: 'Job',
      apiVersion: 'batch/v1',
      namespace: namespace!,
      name,
      uid: uid!,
      resourceVersion: resourceVersion!,
    };
    this.#setActive([...this.#active, reference]);
    this.status = { ...this.status, lastScheduleTime: timestamp(due) };
    return untilNext;
  }

  /** Deletes the oldest finished Jobs beyond the history limits. */
  async cleanUp(children: readonly Job[]): Promise<void> {
    const { successfulJobsHistoryLimit: kept, failedJobsHistoryLimit: keptFailed } = this.#cronJob.spec;
    for (const [end, limit] of [
      ['Complete', kept],
      ['Failed', keptFailed],
    ] as const) {
      if (limit === undefined) continue;
      const finished = children.filter((job) => finishedAs(job) === end && !job.metadata.deletionTimestamp);
      const oldest = [...finished].sort(
        (a, b) =>
          (a.status?.startTime ?? '').localeCompare(b.status?.startTime ?? '') ||
          a.metadata.name.localeCompare(b.metadata.name),
      );
      for (const job of oldest.slice(0, Math.max(0, finished.length - limit))) {
        await this.#delete(job.metadata.name);
        this.#forget(job.metadata.uid);
      }
    }
  }

  #times(now: number): ScheduleTimes | undefined {
    const { schedule, timeZone } = this.#cronJob.spec;
    const problem = timeZone === undefined ? undefined : timeZoneProblem(timeZone);
    if (problem) {
      this.#event('Warning', 'UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}: ${problem}`);
      return undefined;
    }
    try {
      return scheduleTimes(this.#cronJob, now);
    } catch (error) {
      const message = `unparseable schedule: ${JSON.stringify(schedule)} : ${(error as Error).message}`;
      this.#event('Warning', 'UnparseableSchedule', message);
      return undefined;
    }
  }

  /** Undefined when nobody has to note it: somebody else made it, or the namespace goes away. */
  async #create(name: string, due: number): Promise<Job | undefined> {
    const { metadata, spec } = this.#cronJob;
    const { jobTemplate, timeZone } = spec;
    const { client } = this.#context;
    try {
      const job = await client.for(Jobs).create({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name,
          namespace: metadata.namespace!,
          ...(jobTemplate.metadata?.labels ? { labels: jobTemplate.metadata.labels } : {}),
          annotations: { ...jobTemplate.metadata?.annotations, [SCHEDULED_AT]: zonedTime(due, timeZone) },
          ownerReferences: [controllerReference(this.#cronJob, CronJobs)],
        },
        spec: jobTemplate.spec!,
      });
      this.#wrote(job);
      this.#event('Normal', 'SuccessfulCreate', `Created job ${name}`);
      return job;
    } catch (error) {
      if (isStatusError(error) && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
        return undefined;
      if (!isStatusError(error, 'AlreadyExists')) {
        this.#event('Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
        throw error;
      }
      const existing = await client.for(Jobs).get({ name, namespace: metadata.namespace! });
      return controllerOf(existing)?.uid === metadata.uid ? existing : undefined;
    }
  }

  async #delete(name: string): Promise<void> {
    const { namespace } = this.#cronJob.metadata;
    try {
      await this.#context.client.for(Jobs).delete({ name, namespace: namespace! }, { propagationPolicy: 'Background' });
    } catch (error) {
      if (isStatusError(error, 'NotFound')) return;
      this.#event('Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`);
      throw error;
    }
    this.#event('Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }
}

/** The type of the condition that ended a Job. */
function finishedAs({ status }: Job): 'Complete' | 'Failed' | undefined {
  const end = status?.conditions?.find(
    ({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True',
  );
  return end?.type as 'Complete' | 'Failed' | undefined;
}
