import { type FieldError, FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { defaultWorkloadTemplate, nameWarnings } from '../apps/pod-template.ts';
import { ageColumn, ageSince, column, containerColumns, formatLabelSelector, nameColumn, orNone } from '../columns.ts';
import { dropDisabledTemplateFields } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { nonNegative, requiredOneOf } from '../field-checks.ts';
import type { CronJob, CronJobSpec, JobSpec } from '../types/batch.v1.gen.ts';
import { parseCronSchedule } from './cron-schedule.ts';
import { defaultFailurePolicy, jobSpecWarnings, validateJobSpec } from './job-spec.ts';
import { timeZoneProblem } from './time-zone.ts';

const spec = FieldPath.of('spec');

/** The controller appends `-$TIMESTAMP` (11 characters) to make a Job's name, which must fit 63. */
const maxNameLength = 52;

export const cronJob = defineKind<CronJob>({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  generation: 'spec',
  default: setDefaults,
  prepareForCreate: (object) => dropDisabledTemplateFields(object.spec?.jobTemplate?.spec?.template, undefined),
  prepareForUpdate: (object, old) =>
    dropDisabledTemplateFields(object.spec?.jobTemplate?.spec?.template, old.spec?.jobTemplate?.spec?.template),
  validate: (object, old) => validateSpec(object.spec, old?.spec),
  validateCreate: ({ metadata: { name } }) =>
    name.length > maxNameLength
      ? [invalidValue(FieldPath.of('metadata', 'name'), name, `must be no more than ${maxNameLength} characters`)]
      : [],
  warnings: (object, old) => [
    ...nameWarnings(object, old),
    ...jobSpecWarnings(spec.child('jobTemplate', 'spec'), object.spec?.jobTemplate?.spec, object, old),
    ...(old && object.spec?.schedule?.includes('TZ')
      ? [
          'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
        ]
      : []),
  ],
  subresources: { status: {} },
  columns: [
    nameColumn,
    column('Schedule', ({ spec }) => spec.schedule, { description: 'When jobs are made, in Cron format' }),
    column('Timezone', ({ spec }) => orNone(spec.timeZone), { description: 'Time zone of the schedule' }),
    column('Suspend', ({ spec }) => (spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'), {
      type: 'boolean',
      description: 'Whether no more jobs are made',
    }),
    column('Active', ({ status }) => status?.active?.length ?? 0, {
      type: 'integer',
      description: 'Jobs that are running',
    }),
    column(
      'Last Schedule',
      ({ status }, now) => (status?.lastScheduleTime ? ageSince(status.lastScheduleTime, now) : '<none>'),
      {
        description: 'Time since a job was last made',
      },
    ),
    ageColumn,
    ...containerColumns<CronJob>((object) => object.spec.jobTemplate.spec?.template.spec?.containers),
    column('Selector', ({ spec }) => formatLabelSelector(spec.jobTemplate.spec?.selector), {
      wide: true,
      description: 'Label selector of the pods',
    }),
  ],
});

function setDefaults({ spec }: Draft<CronJob>): void {
  if (!spec) return;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  spec.jobTemplate ??= {} as Draft<CronJobSpec>['jobTemplate'];
  spec.jobTemplate.spec ??= {} as NonNullable<Draft<CronJobSpec>['jobTemplate']['spec']>;
  const job = spec.jobTemplate.spec;
  defaultFailurePolicy(job);
  defaultWorkloadTemplate(job);
}

function validateSpec(cronJob: CronJobSpec | undefined, old: CronJobSpec | undefined): FieldError[] {
  const given = cronJob ?? ({} as Partial<CronJobSpec>);
  const { schedule, jobTemplate } = given;
  const errors = schedule ? validateSchedule(schedule, given.timeZone, old) : [required(spec.child('schedule'))];
  errors.push(...nonNegative(spec.child('startingDeadlineSeconds'), given.startingDeadlineSeconds));
  if (given.timeZone !== undefined && given.timeZone !== old?.timeZone)
    errors.push(...validateTimeZone(given.timeZone));
  errors.push(
    ...requiredOneOf(spec.child('concurrencyPolicy'), given.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
    ...validateJobTemplate(jobTemplate, old?.jobTemplate),
    ...nonNegative(spec.child('successfulJobsHistoryLimit'), given.successfulJobsHistoryLimit),
    ...nonNegative(spec.child('failedJobsHistoryLimit'), given.failedJobsHistoryLimit),
  );
  return errors;
}

/** A time zone in the schedule is for those that have one there already, and not beside one of its own. */
function validateSchedule(schedule: string, timeZone: string | undefined, old: CronJobSpec | undefined): FieldError[] {
  const path = spec.child('schedule');
  const errors: FieldError[] = [];
  try {
    parseCronSchedule(schedule);
  } catch (error) {
    errors.push(invalidValue(path, schedule, (error as Error).message));
  }
  if (!schedule.includes('TZ')) return errors;
  if (!old?.schedule?.includes('TZ'))
    errors.push(invalidValue(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'));
  else if (timeZone !== undefined)
    errors.push(invalidValue(path, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
  return errors;
}

function validateTimeZone(timeZone: string): FieldError[] {
  const path = spec.child('timeZone');
  if (timeZone === '') return [invalidValue(path, timeZone, 'timeZone must be nil or non-empty string')];
  const errors: FieldError[] = [];
  if (timeZone.toLowerCase() === 'local')
    errors.push(
      invalidValue(
        path,
        timeZone,
        'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ),
    );
  const problem = timeZone === 'Local' ? undefined : timeZoneProblem(timeZone);
  return problem ? [...errors, invalidValue(path, timeZone, problem)] : errors;
}

function validateJobTemplate(
  template: CronJobSpec['jobTemplate'] | undefined,
  old: CronJobSpec['jobTemplate'] | undefined,
): FieldError[] {
  const path = spec.child('jobTemplate', 'spec');
  const job = template?.spec ?? ({} as JobSpec);
  const errors = validateJobSpec(path, job, old?.spec);
  if (job.selector)
    errors.push(invalidValue(path.child('selector'), job.selector, '`selector` will be auto-generated'));
  if (job.manualSelector) errors.push(notSupported(path.child('manualSelector'), true, ['nil', 'false']));
  return errors;
}
