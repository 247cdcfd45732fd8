import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../apimachinery/field.ts';
import { cronJob } from './cron-job.ts';
import { firstOverlap, parseIndexIntervals } from './index-intervals.ts';
import { job } from './job.ts';

const texts = (errors: readonly FieldError[] | undefined) => (errors ?? []).map(String);

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

const template = (restartPolicy = 'Never') => ({
  spec: { restartPolicy, containers: [{ name: 'main', image: 'busybox' }] },
});

function created(spec: object = {}): Loose {
  const object: Loose = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'pi', namespace: 'default', uid: 'u-1' },
    spec: { template: template(), ...spec },
  };
  job.default?.(object);
  job.prepareForCreate?.(object);
  return object;
}

const invalid = (spec: object) => texts(job.validate?.(created(spec)));

describe('Job', () => {
  it('is defaulted and selects its own pods', () => {
    const { spec } = created();
    expect(spec).toMatchObject({
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } },
    });
    expect(spec.template.metadata.labels).toEqual({
      'batch.kubernetes.io/controller-uid': 'u-1',
      'batch.kubernetes.io/job-name': 'pi',
      'controller-uid': 'u-1',
      'job-name': 'pi',
    });
    expect(invalid({})).toEqual([]);
    expect(created({ backoffLimitPerIndex: 1 }).spec.backoffLimit).toBe(2147483647);
  });

  it('refuses labels that contradict it', () => {
    const labelled = { ...template(), metadata: { labels: { 'job-name': 'other' } } };
    expect(invalid({ template: labelled })).toEqual([
      expect.stringMatching(/^spec\.template\.metadata\.labels\[job-name\]: Invalid value: .*: must be 'pi'$/),
    ]);
  });

  it('refuses what upstream refuses, in its words', () => {
    expect(invalid({ template: template('Always') })).toEqual([
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ]);
    expect(invalid({ completionMode: 'Indexed', completions: undefined, parallelism: 2 })).toEqual([
      'spec.completions: Required value: when completion mode is Indexed',
    ]);
    expect(invalid({ backoffLimitPerIndex: 1 })).toEqual([
      'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
    ]);
    expect(
      invalid({ podFailurePolicy: { rules: [{ action: 'Stop', onExitCodes: { operator: 'In', values: [3, 0] } }] } }),
    ).toEqual([
      'spec.podFailurePolicy.rules[0].action: Unsupported value: "Stop": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
      'spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator',
      'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,0]: must be ordered',
    ]);
    expect(
      invalid({ completionMode: 'Indexed', completions: 3, successPolicy: { rules: [{ succeededIndexes: '0-4' }] } }),
    ).toEqual([
      'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-4": error parsing succeededIndexes: too large index: "4"',
    ]);
  });

  it('is immutable but for its scale, until it starts', () => {
    const old = created();
    const moved = structuredClone(old);
    moved.spec.template.spec.nodeSelector = { disk: 'ssd' };
    expect(texts(job.validateUpdate?.(moved, old))[0]).toMatch(
      /^spec\.template: Invalid value: .*: field is immutable$/,
    );
    old.spec.suspend = true;
    moved.spec.suspend = true;
    expect(texts(job.validateUpdate?.(moved, old))).toEqual([]);
    moved.spec.template.spec.containers[0].image = 'other';
    expect(texts(job.validateUpdate?.(moved, old))).toHaveLength(1);

    const indexed = created({ completionMode: 'Indexed', completions: 3, parallelism: 3 });
    const grown = structuredClone(indexed);
    grown.spec.completions = 4;
    expect(texts(job.validateUpdate?.(grown, indexed))).toEqual([
      'spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism',
    ]);
    grown.spec.parallelism = 4;
    expect(texts(job.validateUpdate?.(grown, indexed))).toEqual([]);
  });

  it('checks a finishing status', () => {
    const old = created();
    const now = {
      ...old,
      status: { startTime: '2026-01-01T00:00:00Z', active: 1, conditions: [{ type: 'Complete', status: 'True' }] },
    };
    expect(texts(job.subresources.status?.validateUpdate?.(now, { ...old, status: {} }))).toEqual([
      'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
      'status.completionTime: Required value: completionTime is required for Complete jobs',
      'status.active: Invalid value: 1: active>0 is invalid for finished job',
    ]);
  });

  it('prints', () => {
    const object = { ...created({ completions: 5 }), status: { succeeded: 2, startTime: '2026-01-01T00:00:00Z' } };
    const cells = job.columns.slice(0, 4).map((column) => column.value(object, Date.parse('2026-01-01T00:01:05Z')));
    expect(cells).toEqual(['pi', 'Running', '2/5', '65s']);
    expect(job.selectableFields['status.successful']?.(object)).toBe('2');
  });
});

describe('CronJob', () => {
  const invalidCronJob = (spec: object, name = 'nightly') => {
    const object: Loose = {
      metadata: { name },
      spec: { schedule: '0 3 * * *', jobTemplate: { spec: { template: template() } }, ...spec },
    };
    cronJob.default?.(object);
    return texts([...(cronJob.validate?.(object) ?? []), ...(cronJob.validateCreate?.(object) ?? [])]);
  };

  it('refuses what upstream refuses, in its words', () => {
    expect(invalidCronJob({ timeZone: 'Europe/Rome' })).toEqual([]);
    expect(invalidCronJob({ schedule: '0 3 * *' })).toEqual([
      'spec.schedule: Invalid value: "0 3 * *": expected exactly 5 fields, found 4: [0 3 * *]',
    ]);
    expect(invalidCronJob({ schedule: 'TZ=UTC 0 3 * * *' })).toEqual([
      'spec.schedule: Invalid value: "TZ=UTC 0 3 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ]);
    expect(invalidCronJob({ timeZone: 'Mars/Olympus' })).toEqual([
      'spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
    ]);
    expect(invalidCronJob({ concurrencyPolicy: 'Maybe' })).toEqual([
      'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
    ]);
    expect(invalidCronJob({}, 'n'.repeat(53))).toEqual([
      `metadata.name: Invalid value: "${'n'.repeat(53)}": must be no more than 52 characters`,
    ]);
  });
});

describe('index intervals', () => {
  it('parse in increasing order and meet', () => {
    expect(parseIndexIntervals('0,2-4,9', 10)).toEqual([
      { first: 0, last: 0 },
      { first: 2, last: 4 },
      { first: 9, last: 9 },
    ]);
    expect(() => parseIndexIntervals('3,1', 5)).toThrow('non-increasing order, previous: 3, current: 1');
    expect(() => parseIndexIntervals('1-2-3', 5)).toThrow('can have at most two parts');
    expect(firstOverlap(parseIndexIntervals('0-3,8', 10), parseIndexIntervals('5,7-9', 10))).toBe(8);
    expect(firstOverlap(parseIndexIntervals('0-3', 10), parseIndexIntervals('4', 10))).toBeUndefined();
  });
});
