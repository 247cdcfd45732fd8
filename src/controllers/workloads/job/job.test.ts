import { afterEach, describe, expect, it } from 'vitest';
import type { Job } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { StatusError } from '../../../apimachinery/status-error.ts';
import { Jobs, Pods } from '../../../client/resource-types.gen.ts';
import { conditionOf } from '../../conditions.ts';
import { type ControllerHarness, runControllers } from '../../runtime/testing/controller-harness.ts';
import { createFakeKubelet, type FakeKubelet } from '../testing/fake-kubelet.ts';
import { settled as quiet } from '../testing/settled.ts';
import { IndexSet } from './index-set.ts';
import { jobController } from './job-controller.ts';

let run: ControllerHarness;
let kubelet: FakeKubelet;
let now = 0;
afterEach(() => run?.stop());

const job = (spec: object = {}, podSpec: object = {}) =>
  ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'default', uid: 'job-uid' },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'job-uid' } },
      template: {
        metadata: { labels: { 'batch.kubernetes.io/controller-uid': 'job-uid' } },
        spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never', ...podSpec },
      },
      ...spec,
    },
  }) as unknown as Job;

async function start(object: Job): Promise<void> {
  now = Date.parse('2026-01-01T00:00:00Z');
  run = await runControllers([jobController()], { objects: [object], now: () => now });
  kubelet = createFakeKubelet(run, () => now);
}
const current = () => run.api.get(Jobs, 'work', 'default')!;
const status = () => current().status;
const condition = (type: string) => conditionOf(status()?.conditions, type);
const all = () => run.api.list(Pods, 'default');
const active = () =>
  all().filter((pod) => !pod.metadata.deletionTimestamp && !['Failed', 'Succeeded'].includes(pod.status?.phase ?? ''));
const indexOf = (pod: Pod) => Number(pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index']);
const ofIndex = (index: number) => active().find((pod) => indexOf(pod) === index);
const pods = (count: number) => run.eventually(() => active().length === count && active());
function change(edit: (spec: Draft<Job['spec']>) => void): void {
  const copy = draft(current());
  edit(copy.spec);
  run.api.put(copy as Job);
}
/** Something changed without an event, such as the clock. */
const touch = () =>
  run.api.put({ ...current(), metadata: { ...current().metadata, annotations: { at: String(now) } } });
const finish = (pod: Pod | undefined, exitCode: number, extra?: object) =>
  kubelet.finish(pod!.metadata.name, exitCode, extra);
const settled = () => quiet(run);

describe('Job', () => {
  it('runs pods to the wanted completions, and counts each once', async () => {
    await start(job({ completions: 3, parallelism: 2 }));
    const [first, second] = await pods(2);
    expect(first!.metadata).toMatchObject({ finalizers: ['batch.kubernetes.io/job-tracking'], generateName: 'work-' });
    await settled();
    expect(status()).toMatchObject({ active: 2, ready: 0, terminating: 0, startTime: '2026-01-01T00:00:00Z' });
    kubelet.ready();
    await run.eventually(() => status()?.ready === 2);
    finish(first, 0);
    await run.eventually(() => status()?.succeeded === 1 && active().length === 2);
    finish(second, 0);
    await run.eventually(() => status()?.succeeded === 2 && active().length === 1);
    finish(active()[0], 0);
    await run.eventually(() => condition('Complete'));
    expect(status()).toMatchObject({
      succeeded: 3,
      ready: 0,
      uncountedTerminatedPods: {},
      completionTime: '2026-01-01T00:00:00Z',
    });
    expect(status()?.conditions?.map(({ type, reason, message }) => [type, reason, message])).toEqual([
      ['SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods'],
      ['Complete', 'CompletionsReached', 'Reached expected number of succeeded pods'],
    ]);
    expect(all().flatMap((pod) => pod.metadata.finalizers ?? [])).toEqual([]);
    expect(run.events.at(-1)).toBe('Normal Completed Job completed');
    expect(run.events.filter((event) => event.startsWith('Normal SuccessfulCreate Created pod: work-'))).toHaveLength(
      3,
    );
  });

  it('is a work queue without completions: after a success no more pods', async () => {
    await start(job({ completions: undefined, parallelism: 2 }));
    const [first, second] = await pods(2);
    finish(first, 0);
    await settled();
    expect(active()).toHaveLength(1);
    expect(condition('Complete')).toBeUndefined();
    finish(second, 0);
    await run.eventually(() => condition('Complete'));
    expect(status()?.succeeded).toBe(2);
  });

  it('replaces failed pods with a growing delay up to the backoff limit', async () => {
    await start(job({ backoffLimit: 2 }));
    for (const [failures, delay] of [
      [1, 10_000],
      [2, 20_000],
    ] as const) {
      const [pod] = await pods(1);
      finish(pod, 1);
      await run.eventually(() => status()?.failed === failures);
      await settled();
      now += delay - 1_000;
      touch();
      await settled();
      expect(active()).toHaveLength(0);
      now += 1_000;
      touch();
    }
    finish((await pods(1))[0], 1);
    await run.eventually(() => condition('Failed'));
    expect(status()?.failed).toBe(3);
    expect(condition('FailureTarget')?.reason).toBe('BackoffLimitExceeded');
    expect(condition('Failed')).toMatchObject({
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    });
    expect(run.events.at(-1)).toBe('Warning BackoffLimitExceeded Job has reached the specified backoff limit');
  });

  it('fails by the deadline: running pods go and count as failed, the end waits for them', async () => {
    await start(job({ parallelism: 2, completions: 2, activeDeadlineSeconds: 30 }));
    await pods(2);
    kubelet.ready();
    await run.eventually(() => status()?.ready === 2);
    now += 30_000;
    touch();
    await run.eventually(
      () => condition('FailureTarget')?.reason === 'DeadlineExceeded' && status()?.terminating === 2,
    );
    expect(condition('Failed')).toBeUndefined();
    await run.eventually(() => status()?.failed === 2);
    kubelet.terminate();
    await run.eventually(() => condition('Failed')?.reason === 'DeadlineExceeded');
    expect(status()?.active).toBeUndefined();
  });

  it('counts container restarts with restartPolicy OnFailure', async () => {
    await start(job({ backoffLimit: 3 }, { restartPolicy: 'OnFailure' }));
    const [pod] = await pods(1);
    run.api.put({
      ...pod!,
      status: {
        phase: 'Running',
        containerStatuses: [{ name: 'c', restartCount: 3, ready: false, image: '', imageID: '' }],
      },
    });
    await run.eventually(() => condition('Failed')?.reason === 'BackoffLimitExceeded');
  });

  it('suspends and resumes without counting failures', async () => {
    await start(job({ parallelism: 2, completions: 2 }));
    await pods(2);
    kubelet.ready();
    await settled();
    change((spec) => {
      spec.suspend = true;
    });
    await run.eventually(() => condition('Suspended')?.status === 'True' && status()?.terminating === 2);
    kubelet.terminate();
    await run.eventually(() => status()?.terminating === 0);
    expect(status()?.failed).toBeUndefined();
    expect(all()).toHaveLength(0);
    now += 60_000;
    change((spec) => {
      spec.suspend = false;
    });
    await pods(2);
    await run.eventually(() => condition('Suspended')?.status === 'False');
    expect(status()?.startTime).toBe('2026-01-01T00:01:00Z');
    expect(run.events.filter((event) => /Suspended|Resumed/.test(event))).toEqual([
      'Normal Suspended Job suspended',
      'Normal Resumed Job resumed',
    ]);
  });

  it('waits with replacements until pods are gone for sure, when told so', async () => {
    for (const [policy, replaced] of [
      ['TerminatingOrFailed', 1],
      ['Failed', 0],
    ] as const) {
      await start(job({ podReplacementPolicy: policy }));
      const [pod] = await pods(1);
      kubelet.ready();
      await settled();
      await run.client.for(Pods).delete({ name: pod!.metadata.name, namespace: 'default' });
      await settled();
      now += 10_000;
      touch();
      await settled();
      expect(active()).toHaveLength(replaced);
      await run.stop();
    }
  });

  it('survives lost answers and conflicts: no pod is counted twice', async () => {
    await start(job({ completions: 4, parallelism: 4 }));
    const started = await pods(4);
    const fail = (method: string, part: string) =>
      run.api.failOnce(
        (request) => request.method === method && request.path.includes(part),
        new StatusError({ code: 500, reason: 'InternalError', message: 'lost', status: 'Failure' } as never),
      );
    fail('PUT', '/status');
    fail('PATCH', '/pods/');
    fail('PATCH', '/pods/');
    for (const pod of started.slice(0, 3)) finish(pod, 0);
    finish(started[3], 1);
    await run.eventually(() => status()?.succeeded === 3 && status()?.failed === 1, 3_000);
    now += 10_000;
    touch();
    finish((await pods(1))[0], 0);
    await run.eventually(() => condition('Complete'));
    expect([status()?.succeeded, status()?.failed]).toEqual([4, 1]);
  });

  it('lets pods of deleted Jobs go, and leaves Jobs of others alone', async () => {
    await start(job({ parallelism: 1 }));
    await pods(1);
    await settled();
    run.api.remove(Jobs, 'work', 'default');
    await run.eventually(() => all().every((pod) => !pod.metadata.finalizers?.length));
    run.api.put(job({ managedBy: 'example.com/other' }));
    await settled();
    expect(status()).toBeUndefined();
  });

  describe('indexed', () => {
    const indexed = (spec: object = {}) => job({ completionMode: 'Indexed', completions: 4, parallelism: 4, ...spec });

    it('gives each pod its index, and repeats only what failed', async () => {
      await start(indexed());
      const started = await pods(4);
      expect(started.map(indexOf).sort()).toEqual([0, 1, 2, 3]);
      const two = ofIndex(2)!;
      expect(two.metadata).toMatchObject({
        generateName: 'work-2-',
        labels: { 'batch.kubernetes.io/job-completion-index': '2' },
      });
      expect(two.spec).toMatchObject({
        hostname: 'work-2',
        containers: [
          {
            env: [
              {
                name: 'JOB_COMPLETION_INDEX',
                valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
              },
            ],
          },
        ],
      });
      for (const index of [0, 1, 3]) finish(ofIndex(index), 0);
      finish(two, 1);
      await run.eventually(() => status()?.completedIndexes === '0,1,3' && status()?.failed === 1);
      now += 10_000;
      touch();
      const [again] = await pods(1);
      expect(indexOf(again!)).toBe(2);
      finish(again, 0);
      await run.eventually(() => condition('Complete'));
      expect(status()?.completedIndexes).toBe('0-3');
    });

    it('limits failures per index, remembering them on the replacement', async () => {
      await start(indexed({ completions: 2, parallelism: 2, backoffLimitPerIndex: 1, backoffLimit: 2 ** 31 - 1 }));
      await pods(2);
      const failures = (pod: Pod) => pod.metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'];
      expect(failures(ofIndex(0)!)).toBe('0');
      finish(ofIndex(0), 1);
      await settled();
      now += 10_000;
      touch();
      await run.eventually(() => ofIndex(0) && failures(ofIndex(0)!) === '1');
      finish(ofIndex(0), 1);
      await run.eventually(() => status()?.failedIndexes === '0');
      expect(condition('FailureTarget')).toBeUndefined();
      finish(ofIndex(1), 0);
      await run.eventually(() => condition('Failed')?.reason === 'FailedIndexes');
      expect(status()).toMatchObject({ failed: 2, succeeded: 1, completedIndexes: '1', failedIndexes: '0' });
    });

    it('ends early by the success policy', async () => {
      await start(indexed({ successPolicy: { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] } }));
      await pods(4);
      kubelet.ready();
      await settled();
      finish(ofIndex(0), 0);
      await settled();
      expect(condition('SuccessCriteriaMet')).toBeUndefined();
      finish(ofIndex(2), 0);
      await run.eventually(() => condition('SuccessCriteriaMet')?.reason === 'SuccessPolicy');
      expect(condition('SuccessCriteriaMet')?.message).toBe('Matched rules at index 0');
      await settled();
      kubelet.terminate();
      await run.eventually(() => condition('Complete')?.reason === 'SuccessPolicy');
      expect(status()).toMatchObject({ succeeded: 2, completedIndexes: '0,2' });
      expect(status()?.failed).toBeUndefined();
    });

    it('writes indexes short', () => {
      expect(new IndexSet([7, 1, 3, 4, 5, 9, 10]).toString()).toBe('1,3-5,7,9,10');
      expect(IndexSet.parse('1,3-5,7', 5).toString()).toBe('1,3,4');
    });
  });

  describe('pod failure policy', () => {
    it('fails the Job at once, ignores, or counts', async () => {
      const policy = {
        rules: [
          { action: 'FailJob', onExitCodes: { containerName: 'c', operator: 'In', values: [42] } },
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ],
      };
      await start(job({ parallelism: 2, completions: 2, backoffLimit: 0, podFailurePolicy: policy }));
      const [first, second] = await pods(2);
      kubelet.ready();
      finish(first, 137, { conditions: [{ type: 'DisruptionTarget', status: 'True' }] });
      await settled();
      expect(status()?.failed).toBeUndefined();
      now += 10_000;
      touch();
      await pods(2);
      finish(second, 42);
      await run.eventually(() => condition('FailureTarget'));
      kubelet.terminate();
      await run.eventually(() => condition('Failed'));
      expect(condition('Failed')).toMatchObject({
        reason: 'PodFailurePolicy',
        message: `Container c for pod default/${second!.metadata.name} failed with exit code 42 matching FailJob rule at index 0`,
      });
    });
  });
});
