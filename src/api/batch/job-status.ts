import { duplicate, type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { invalidWithoutValue, nonNegative, semanticEqual } from '../field-checks.ts';
import type { Job, JobStatus } from '../types/batch.v1.gen.ts';
import { firstOverlap, type IndexInterval, parseIndexIntervals } from './index-intervals.ts';

const status = FieldPath.of('status');
const conditionsPath = status.child('conditions');

export function hasJobCondition(job: Job, type: string): boolean {
  return (job.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}

export function isJobFinished(job: Job): boolean {
  return hasJobCondition(job, 'Complete') || hasJobCondition(job, 'Failed');
}

/** A status update: what holds for every status, for what this update changes, and what may never go back. */
export function validateJobStatusUpdate(job: Job, old: Job): FieldError[] {
  const now = job.status ?? {};
  const was = old.status ?? {};
  const changed = (field: keyof JobStatus) => !semanticEqual(now[field], was[field]);
  const conditionChanged = (type: string) => hasJobCondition(job, type) !== hasJobCondition(old, type);
  return [
    ...validateCounters(now),
    ...validateConditions(job, conditionChanged, changed('failedIndexes')),
    ...validateTimes(job, changed, conditionChanged),
    ...validateFinished(job, changed, isJobFinished(job) !== isJobFinished(old)),
    ...validateIndexes(job, changed),
    ...validateTransition(job, old, changed),
  ];
}

function validateCounters(now: JobStatus): FieldError[] {
  const counters = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;
  const errors = counters.flatMap((counter) => nonNegative(status.child(counter), now[counter]));
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed'] as const)
    (now.uncountedTerminatedPods?.[list] ?? []).forEach((uid, index) => {
      const path = status.child('uncountedTerminatedPods', list).index(index);
      if (uid === '') errors.push(invalidValue(path, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicate(path, uid));
      seen.add(uid);
    });
  return errors;
}

function validateConditions(job: Job, changed: (type: string) => boolean, failedIndexesChanged: boolean): FieldError[] {
  const complete = hasJobCondition(job, 'Complete');
  const failed = hasJobCondition(job, 'Failed');
  const failureTarget = hasJobCondition(job, 'FailureTarget');
  const criteriaMet = hasJobCondition(job, 'SuccessCriteriaMet');
  const rules: readonly (readonly [broken: boolean, detail: string])[] = [
    [
      complete && failed && (changed('Complete') || changed('Failed')),
      'cannot set Complete=True and Failed=true conditions',
    ],
    [
      complete && failureTarget && (changed('Complete') || changed('FailureTarget')),
      'cannot set Complete=True and FailureTarget=true conditions',
    ],
    [
      failed && !failureTarget && (changed('Failed') || failedIndexesChanged),
      'cannot set Failed=True condition without the FailureTarget=true condition',
    ],
    [
      complete && !criteriaMet && (changed('Complete') || changed('SuccessCriteriaMet')),
      'cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
    ],
    [criteriaMet && failed, 'cannot set SuccessCriteriaMet=True and Failed=true conditions'],
    [criteriaMet && failureTarget, 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'],
    [
      job.spec?.successPolicy !== undefined && !criteriaMet && complete,
      'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True',
    ],
  ];
  return rules.filter(([broken]) => broken).map(([, detail]) => invalidWithoutValue(conditionsPath, detail));
}

function validateTimes(
  job: Job,
  changed: (field: keyof JobStatus) => boolean,
  conditionChanged: (type: string) => boolean,
): FieldError[] {
  const { startTime, completionTime } = job.status ?? {};
  const complete = hasJobCondition(job, 'Complete');
  const path = status.child('completionTime');
  const errors: FieldError[] = [];
  if (conditionChanged('Complete') || changed('completionTime')) {
    if (completionTime && !complete)
      errors.push(
        invalidValue(path, completionTime, 'cannot set completionTime when there is no Complete=True condition'),
      );
    if (!completionTime && complete) errors.push(required(path, 'completionTime is required for Complete jobs'));
  }
  if (
    (changed('startTime') || changed('completionTime')) &&
    startTime &&
    completionTime &&
    Date.parse(completionTime) < Date.parse(startTime)
  )
    errors.push(invalidValue(path, completionTime, 'must be equal to or after `startTime`'));
  return errors;
}

function validateFinished(
  job: Job,
  changed: (field: keyof JobStatus) => boolean,
  finishedChanged: boolean,
): FieldError[] {
  const { active = 0, ready, terminating, startTime, uncountedTerminatedPods } = job.status ?? {};
  const errors: FieldError[] = [];
  if (isJobFinished(job)) {
    if (active > 0 && (finishedChanged || changed('active')))
      errors.push(invalidValue(status.child('active'), active, 'active>0 is invalid for finished job'));
    const nothingToRun = job.spec?.suspend && job.spec.completions === 0;
    if (!startTime && (finishedChanged || changed('startTime')) && !nothingToRun)
      errors.push(required(status.child('startTime'), 'startTime is required for finished job'));
    const uncounted =
      (uncountedTerminatedPods?.failed?.length ?? 0) + (uncountedTerminatedPods?.succeeded?.length ?? 0);
    if (uncounted > 0 && (finishedChanged || changed('uncountedTerminatedPods')))
      errors.push(
        invalidValue(
          status.child('uncountedTerminatedPods'),
          uncountedTerminatedPods,
          'must be empty for finished job',
        ),
      );
    if ((terminating ?? 0) > 0 && (finishedChanged || changed('terminating')))
      errors.push(invalidValue(status.child('terminating'), terminating, 'terminating>0 is invalid for finished job'));
  }
  if (ready !== undefined && ready > active && (changed('ready') || changed('active')))
    errors.push(invalidValue(status.child('ready'), ready, 'cannot set more ready pods than active'));
  return errors;
}

function validateIndexes(job: Job, changed: (field: keyof JobStatus) => boolean): FieldError[] {
  const { completedIndexes = '', failedIndexes } = job.status ?? {};
  const { completions, completionMode, backoffLimitPerIndex } = job.spec ?? ({} as Job['spec']);
  const completedPath = status.child('completedIndexes');
  const failedPath = status.child('failedIndexes');
  const errors: FieldError[] = [];
  const parse = (path: FieldPath, name: string, text: string): readonly IndexInterval[] => {
    try {
      return parseIndexIntervals(text, completions ?? 0);
    } catch (error) {
      errors.push(invalidValue(path, text, `error parsing ${name}: ${(error as Error).message}`));
      return [];
    }
  };
  if (changed('completedIndexes') && completedIndexes !== '' && completionMode !== 'Indexed')
    errors.push(
      invalidValue(
        completedPath,
        completedIndexes,
        'cannot set non-empty completedIndexes when non-indexed completion mode',
      ),
    );
  if (changed('failedIndexes') && failedIndexes !== undefined && backoffLimitPerIndex === undefined)
    errors.push(
      invalidValue(failedPath, failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'),
    );
  if (completions === undefined || !(changed('completedIndexes') || changed('failedIndexes'))) return errors;
  const completed = parse(completedPath, 'completedIndexes', completedIndexes);
  if (failedIndexes === undefined) return errors;
  const overlap = firstOverlap(completed, parse(failedPath, 'failedIndexes', failedIndexes));
  if (overlap !== undefined)
    errors.push(
      invalidValue(failedPath, failedIndexes, `failedIndexes and completedIndexes overlap at index: ${overlap}`),
    );
  return errors;
}

function validateTransition(job: Job, old: Job, changed: (field: keyof JobStatus) => boolean): FieldError[] {
  const now = job.status ?? {};
  const was = old.status ?? {};
  const errors: FieldError[] = [];
  for (const type of ['Failed', 'Complete', 'FailureTarget'])
    if (hasJobCondition(old, type) && !hasJobCondition(job, type))
      errors.push(invalidWithoutValue(conditionsPath, `cannot disable the terminal ${type}=True condition`));
  if ((now.failed ?? 0) < (was.failed ?? 0))
    errors.push(invalidValue(status.child('failed'), now.failed ?? 0, 'cannot decrease the failed counter'));
  // An indexed Job scaled down (parallelism and completions move together) forgets the indexes above.
  const scalable = job.spec?.completionMode === 'Indexed' && job.spec.completions === job.spec.parallelism;
  if (!scalable && (now.succeeded ?? 0) < (was.succeeded ?? 0))
    errors.push(invalidValue(status.child('succeeded'), now.succeeded ?? 0, 'cannot decrease the succeeded counter'));
  if (now.completionTime && was.completionTime && changed('completionTime'))
    errors.push(invalidValue(status.child('completionTime'), now.completionTime, 'field is immutable'));
  const resumed =
    hasJobCondition(old, 'Suspended') &&
    (now.conditions ?? []).some((condition) => condition.type === 'Suspended' && condition.status === 'False');
  if (was.startTime && changed('startTime') && !job.spec?.suspend && !resumed)
    errors.push(required(status.child('startTime'), 'startTime cannot be removed for unsuspended job'));
  const wasMet = hasJobCondition(old, 'SuccessCriteriaMet');
  const isMet = hasJobCondition(job, 'SuccessCriteriaMet');
  if (wasMet && !isMet)
    errors.push(invalidWithoutValue(conditionsPath, 'cannot disable the SuccessCriteriaMet=True condition'));
  if (hasJobCondition(old, 'Complete') && !wasMet && isMet)
    errors.push(
      invalidWithoutValue(
        conditionsPath,
        'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions',
      ),
    );
  return errors;
}
