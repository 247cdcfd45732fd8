import { afterEach, describe, expect, it } from 'vitest';
import type { HorizontalPodAutoscaler } from '../../api/types/autoscaling.v2.gen.ts';
import { HorizontalPodAutoscalers } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { horizontalPodAutoscalerController } from './horizontal-pod-autoscaler-controller.ts';
import { groupPods, proposeReplicas } from './replica-calculator.ts';
import { limitReplicas, recordScaling, type ScalingHistory } from './scaling-behavior.ts';

let run: ControllerHarness | undefined;
afterEach(async () => {
  await run?.stop();
  run = undefined;
});

const tolerances = { up: 0.1, down: 0.1 };
const metrics = (values: Record<string, number>) =>
  new Map(Object.entries(values).map(([name, value]) => [name, { value, timestamp: 0, windowMs: 0 }]));
const groups = (ready: string[], unready: string[] = [], missing: string[] = []) => ({
  ready: new Set(ready),
  unready: new Set(unready),
  missing: new Set(missing),
});
const requests = new Map([
  ['a', 1000],
  ['b', 1000],
  ['c', 1000],
]);

describe('replica calculator', () => {
  it('scales by mean utilization, within the tolerance not at all', () => {
    const propose = (a: number, b: number) =>
      proposeReplicas(2, metrics({ a, b }), groups(['a', 'b']), 50, tolerances, requests).replicas;
    expect(propose(1000, 500)).toBe(3);
    expect(propose(540, 540)).toBe(2);
    expect(propose(100, 100)).toBe(1);
    expect(propose(900, 300)).toBe(3);
  });

  it('assumes the worse for pods without a metric', () => {
    const missing = (value: number) =>
      proposeReplicas(3, metrics({ a: value, b: value }), groups(['a', 'b'], [], ['c']), 50, tolerances, requests)
        .replicas;
    // Up: the missing one counts as idle. Down: as fully used, which would turn the direction.
    expect(missing(1000)).toBe(4);
    expect(missing(100)).toBe(3);
    const unready = proposeReplicas(3, metrics({ a: 1000 }), groups(['a'], ['b', 'c']), 50, tolerances, requests);
    expect(unready.replicas).toBe(3);
  });

  it('takes starting pods for unready where CPU is measured', () => {
    const pod = (name: string, phase: string, status: string) =>
      ({
        metadata: { name },
        status: {
          phase,
          startTime: new Date(0).toISOString(),
          conditions: [{ type: 'Ready', status, lastTransitionTime: new Date(0).toISOString() }],
        },
      }) as never;
    const pods = [
      pod('a', 'Running', 'True'),
      pod('b', 'Running', 'False'),
      pod('c', 'Pending', 'False'),
      pod('d', 'Running', 'True'),
    ];
    const result = groupPods(pods, metrics({ a: 1, b: 1 }), true, 10_000);
    expect([[...result.ready], [...result.unready], [...result.missing]]).toEqual([['a'], ['b', 'c'], ['d']]);
  });
});

describe('scaling behavior', () => {
  const autoscaler = (behavior?: object) =>
    ({ spec: { minReplicas: 1, maxReplicas: 100, behavior } }) as unknown as HorizontalPodAutoscaler;
  const empty = (): ScalingHistory => ({ recommendations: [], scaleUps: [], scaleDowns: [] });

  it('holds scaling down back for five minutes and up to the rate', () => {
    const history = empty();
    expect(limitReplicas(autoscaler(), 10, 10, history, 0).replicas).toBe(10);
    expect(limitReplicas(autoscaler(), 10, 2, history, 60_000)).toMatchObject({
      replicas: 10,
      stabilized: { reason: 'ScaleDownStabilized' },
    });
    expect(limitReplicas(autoscaler(), 10, 2, history, 301_000).replicas).toBe(2);
    expect(limitReplicas(autoscaler(), 2, 50, empty(), 0)).toMatchObject({
      replicas: 6,
      limited: { reason: 'ScaleUpLimit' },
    });
    const recent = empty();
    recordScaling(recent, 2, 6, 0);
    expect(limitReplicas(autoscaler(), 6, 50, recent, 10_000).replicas).toBe(6);
    expect(limitReplicas(autoscaler(), 90, 500, empty(), 0)).toMatchObject({
      replicas: 100,
      limited: { reason: 'TooManyReplicas' },
    });
  });

  it('obeys policies of its own', () => {
    const slow = autoscaler({
      scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] },
      scaleUp: { selectPolicy: 'Disabled' },
    });
    expect(limitReplicas(slow, 10, 2, empty(), 0)).toMatchObject({
      replicas: 9,
      limited: { reason: 'ScaleDownLimit' },
    });
    expect(limitReplicas(slow, 10, 20, empty(), 0).replicas).toBe(10);
  });
});

describe('horizontal pod autoscaler controller', () => {
  it('reads metrics, scales the target and tells why', async () => {
    const name = (kind: string) => ({ apiVersion: 'apps/v1', kind, metadata: { name: 'web', namespace: 'default' } });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1', namespace: 'default', labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', resources: { requests: { cpu: '100m' } } }] },
      status: {
        phase: 'Running',
        startTime: '2020-01-01T00:00:00Z',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' }],
      },
    };
    run = await runControllers([horizontalPodAutoscalerController({ syncPeriodMs: 20 })], {
      objects: [{ ...name('Deployment'), spec: { replicas: 1 } }, pod],
    });
    let replicas = 1;
    run.api.answer('/apis/apps/v1/namespaces/default/deployments/web/scale', (body) => {
      if (body) replicas = (body as { spec: { replicas: number } }).spec.replicas;
      return { ...name('Scale'), spec: { replicas }, status: { replicas, selector: 'app=web' } };
    });
    run.api.put({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 1,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        ],
      },
    } as HorizontalPodAutoscaler);
    const status = () => run?.api.get(HorizontalPodAutoscalers, 'web', 'default')?.status;
    const condition = (type: string) => status()?.conditions?.find((candidate) => candidate.type === type);
    await run.eventually(() => condition('ScalingActive')?.reason === 'FailedGetResourceMetric');
    run.api.answer('/apis/metrics.k8s.io/v1beta1/namespaces/default/pods', () => ({
      items: [
        {
          metadata: { name: 'web-1' },
          timestamp: new Date().toISOString(),
          window: '15s',
          containers: [{ name: 'c', usage: { cpu: '150000000n' } }],
        },
      ],
    }));
    await run.eventually(() => replicas === 3);
    await run.eventually(() => status()?.desiredReplicas === 3);
    expect(status()?.currentMetrics).toEqual([
      { type: 'Resource', resource: { name: 'cpu', current: { averageValue: '150m', averageUtilization: 150 } } },
    ]);
    expect(condition('ScalingActive')?.status).toBe('True');
    expect(run.events).toContain(
      'Normal SuccessfulRescale New size: 3; reason: cpu resource utilization (percentage of request) above target',
    );
  });
});
