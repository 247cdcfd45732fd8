import { afterEach, describe, expect, it } from 'vitest';
import type { CronJob, Job } from '../../../api/types/batch.v1.gen.ts';
import { CronJobs, Jobs } from '../../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../../runtime/testing/controller-harness.ts';
import { settled } from '../testing/settled.ts';
import { cronJobController } from './cron-job-controller.ts';
import { scheduleTimes, zonedTime } from './schedule-times.ts';

let run: ControllerHarness;
let now = 0;
afterEach(() => run?.stop());

const cronJob = (spec: object = {}, status?: object) =>
  ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace: 'default', uid: 'cron-uid', creationTimestamp: '2026-01-01T00:00:30Z' },
    spec: {
      schedule: '*/5 * * * *',
      concurrencyPolicy: 'Allow',
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { labels: { app: 'tick' } },
        spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' } } },
      },
      ...spec,
    },
    ...(status ? { status } : {}),
  }) as unknown as CronJob;

async function start(object: CronJob): Promise<void> {
  now = Date.parse('2026-01-01T00:00:30Z');
  run = await runControllers([cronJobController()], { objects: [object], now: () => now });
}
const current = () => run.api.get(CronJobs, 'tick', 'default')!;
const status = () => current().status;
const jobs = () => run.api.list(Jobs, 'default');
const nameAt = (time: string) => `tick-${Date.parse(time) / 60_000}`;
async function at(time: string): Promise<void> {
  now = Date.parse(time);
  run.api.put({ ...current(), metadata: { ...current().metadata, annotations: { at: time } } });
  await settled(run);
}
function finish(name: string, type: 'Complete' | 'Failed'): void {
  const job = run.api.get(Jobs, name, 'default')!;
  const time = new Date(now).toISOString().replace('.000', '');
  run.api.put({
    ...job,
    status: { startTime: time, completionTime: time, conditions: [{ type, status: 'True', lastTransitionTime: time }] },
  } as Job);
}

describe('CronJob', () => {
  it('starts a Job at each scheduled time, and follows it to its end', async () => {
    await start(cronJob());
    await at('2026-01-01T00:04:59Z');
    expect(jobs()).toHaveLength(0);
    await at('2026-01-01T00:05:01Z');
    const name = nameAt('2026-01-01T00:05:00Z');
    expect(jobs()).toMatchObject([
      {
        metadata: {
          name,
          labels: { app: 'tick' },
          annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:05:00Z' },
          ownerReferences: [{ kind: 'CronJob', name: 'tick', uid: 'cron-uid', controller: true }],
        },
      },
    ]);
    expect(status()).toMatchObject({
      lastScheduleTime: '2026-01-01T00:05:00Z',
      active: [{ kind: 'Job', apiVersion: 'batch/v1', name }],
    });
    finish(name, 'Complete');
    await at('2026-01-01T00:06:00Z');
    expect(status()).toEqual({ lastScheduleTime: '2026-01-01T00:05:00Z', lastSuccessfulTime: '2026-01-01T00:05:01Z' });
    expect(run.events).toEqual([
      `Normal SuccessfulCreate Created job ${name}`,
      `Normal SawCompletedJob Saw completed job: ${name}, condition: Complete`,
    ]);
    await at('2026-01-01T00:10:00Z');
    run.api.remove(Jobs, nameAt('2026-01-01T00:10:00Z'), 'default');
    await at('2026-01-01T00:11:00Z');
    expect(run.events.at(-1)).toBe(`Normal MissingJob Active job went missing: ${nameAt('2026-01-01T00:10:00Z')}`);
    expect(status()?.active).toBeUndefined();
  });

  it('allows, forbids and replaces what still runs', async () => {
    for (const [concurrencyPolicy, first, second] of [
      ['Allow', true, true],
      ['Forbid', true, false],
      ['Replace', false, true],
    ] as const) {
      await start(cronJob({ concurrencyPolicy }));
      await at('2026-01-01T00:05:00Z');
      await at('2026-01-01T00:10:00Z');
      const has = (time: string) => run.api.get(Jobs, nameAt(time), 'default') !== undefined;
      expect([concurrencyPolicy, has('2026-01-01T00:05:00Z'), has('2026-01-01T00:10:00Z')]).toEqual([
        concurrencyPolicy,
        first,
        second,
      ]);
      expect(status()?.active).toHaveLength(concurrencyPolicy === 'Allow' ? 2 : 1);
      await run.stop();
    }
  });

  it('runs the last missed time alone, and none past the deadline or while suspended', async () => {
    await start(cronJob({ suspend: true }));
    await at('2026-01-01T01:02:00Z');
    expect(jobs()).toHaveLength(0);
    run.api.put({ ...current(), spec: { ...current().spec, suspend: false, startingDeadlineSeconds: 60 } });
    await at('2026-01-01T01:02:01Z');
    expect(jobs()).toHaveLength(0);
    run.api.put({ ...current(), spec: { ...current().spec, startingDeadlineSeconds: 200 } });
    await at('2026-01-01T01:02:02Z');
    expect(jobs().map(({ metadata }) => metadata.name)).toEqual([nameAt('2026-01-01T01:00:00Z')]);
    await at('2026-01-02T01:00:00Z');
    expect(jobs()).toHaveLength(2);
  });

  it('keeps as many finished Jobs as the history limits say', async () => {
    await start(cronJob({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 }));
    for (const minute of ['05', '10', '15', '20']) {
      const time = `2026-01-01T00:${minute}:00Z`;
      await at(time);
      finish(nameAt(time), minute === '20' ? 'Failed' : 'Complete');
    }
    await at('2026-01-01T00:21:00Z');
    expect(jobs().map(({ metadata }) => metadata.name)).toEqual([
      nameAt('2026-01-01T00:10:00Z'),
      nameAt('2026-01-01T00:15:00Z'),
    ]);
  });

  it('takes a Job it has made before for its own, and others not', async () => {
    await start(cronJob());
    const name = nameAt('2026-01-01T00:05:00Z');
    run.api.put({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default' },
      spec: {},
    } as unknown as Job);
    await at('2026-01-01T00:05:00Z');
    expect(status()).toBeUndefined();
    run.api.put({ ...current(), spec: { ...current().spec, schedule: 'nonsense' } });
    await at('2026-01-01T00:06:00Z');
    expect(run.events.at(-1)).toMatch(/^Warning UnparseableSchedule unparseable schedule: "nonsense" : /);
  });

  it('knows time zones and counts what was missed', () => {
    const times = (spec: object, time: string, extra: object = {}) =>
      scheduleTimes({ ...cronJob(spec), ...extra } as CronJob, Date.parse(time));
    const berlin = times({ schedule: '0 3 * * *', timeZone: 'Europe/Berlin' }, '2026-07-02T12:00:00Z');
    expect(new Date(berlin.due!).toISOString()).toBe('2026-07-02T01:00:00.000Z');
    expect(berlin.untilNext).toBe(13 * 3_600_000 + 100);
    expect(berlin.tooManyMissed).toBe(true);
    expect(times({ schedule: '0 3 * * *' }, '2026-01-03T12:00:00Z').tooManyMissed).toBe(false);
    expect(times({ schedule: '0 0 31 2 *' }, '2026-01-03T12:00:00Z')).toEqual({
      due: undefined,
      tooManyMissed: false,
      untilNext: undefined,
    });
    expect(zonedTime(Date.parse('2026-07-02T01:00:00Z'), 'Europe/Berlin')).toBe('2026-07-02T03:00:00+02:00');
    expect(zonedTime(Date.parse('2026-01-02T01:00:00Z'), 'America/St_Johns')).toBe('2026-01-01T21:30:00-03:30');
  });
});
