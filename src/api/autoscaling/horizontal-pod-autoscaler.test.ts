import { describe, expect, it } from 'vitest';
import { draft } from '../../apimachinery/json.ts';
import { horizontalPodAutoscaler as v2 } from './horizontal-pod-autoscaler.ts';
import { horizontalPodAutoscalerV1 as v1 } from './horizontal-pod-autoscaler-v1.ts';
import { autoscalerToV1, autoscalerToV2 } from './v1-conversion.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const autoscaler = (spec: object = {}): Loose => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web', namespace: 'default', annotations: { team: 'a' } },
  spec: { maxReplicas: 5, scaleTargetRef, ...spec },
});

describe('HorizontalPodAutoscaler', () => {
  it('aims at 80 % of CPU, and fills the scaling rules in', () => {
    const object = autoscaler({ behavior: { scaleUp: { stabilizationWindowSeconds: 5 } } });
    v2.default?.(object);
    expect(object.spec).toMatchObject({
      minReplicas: 1,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
      ],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 5,
          selectPolicy: 'Max',
          policies: [
            { type: 'Pods', value: 4, periodSeconds: 15 },
            { type: 'Percent', value: 100, periodSeconds: 15 },
          ],
        },
        scaleDown: { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
      },
    });
    expect(v2.validate?.(object)).toEqual([]);
    expect(v2.columns.find(({ name }) => name === 'Targets')?.value(object, 0)).toBe('cpu: <unknown>/80%');
  });

  it('refuses what upstream refuses, in its words', () => {
    const invalid = (spec: object) => (v2.validate?.(autoscaler(spec)) ?? []).map(String);
    expect(invalid({ minReplicas: 6, maxReplicas: 5 })).toEqual([
      'spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`',
    ]);
    expect(
      invalid({ metrics: [{ type: 'Pods', resource: { name: 'cpu', target: { type: 'Utilization' } } }] }),
    ).toEqual([
      'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
      'spec.metrics[0].pods: Required value: must populate information for the given metric source',
    ]);
    expect((v1.validate?.(autoscaler({ maxReplicas: 0 })) ?? []).map(String)).toEqual([
      'spec.maxReplicas: Required value: must be set and greater than 0',
    ]);
  });

  it('lets old ones be what new ones may not', () => {
    const update = (now: object, old: object) =>
      [
        ...(v2.validate?.(autoscaler(now), autoscaler(old)) ?? []),
        ...(v2.validateUpdate?.(autoscaler(now), autoscaler(old)) ?? []),
      ].map(String);
    const external = { type: 'External', external: { metric: { name: 'q' }, target: { type: 'Value', value: '1' } } };
    const asleep = { minReplicas: 0, metrics: [external] };
    expect(update(asleep, asleep)).toEqual([]);
    expect(update(asleep, { minReplicas: 1 })).toEqual([
      'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
    ]);
    const bad = { scaleTargetRef: { kind: 'Deployment', name: 'web' } };
    expect(update({ ...bad, maxReplicas: 7 }, bad)).toEqual([]);
    expect(update(bad, {})).toEqual([
      'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
    ]);
  });

  it('does not keep what only conversions may write', () => {
    const object = autoscaler();
    object.metadata.annotations = { 'autoscaling.alpha.kubernetes.io/metrics': '[]' };
    v2.default?.(object);
    expect(object.metadata.annotations).toBeUndefined();
  });
});

describe('autoscaling/v1', () => {
  it('shows CPU utilization and keeps the rest in annotations', () => {
    const full: Loose = {
      ...autoscaler({
        minReplicas: 2,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
          { type: 'Pods', pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '1k' } } },
          {
            type: 'Object',
            object: {
              describedObject: scaleTargetRef,
              metric: { name: 'hits' },
              target: { type: 'Value', value: '10' },
            },
          },
          {
            type: 'External',
            external: {
              metric: { name: 'queue', selector: { matchLabels: { a: 'b' } } },
              target: { type: 'AverageValue', averageValue: '3' },
            },
          },
        ],
        behavior: { scaleDown: { selectPolicy: 'Min', policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } },
      }),
      status: {
        currentReplicas: 2,
        desiredReplicas: 3,
        currentMetrics: [
          { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 70, averageValue: '70m' } } },
        ],
        conditions: [{ type: 'AbleToScale', status: 'True' }],
      },
    };
    const asV1: Loose = autoscalerToV1(draft(full));
    expect(asV1.apiVersion).toBe('autoscaling/v1');
    expect(asV1.spec).toEqual({ maxReplicas: 5, minReplicas: 2, scaleTargetRef, targetCPUUtilizationPercentage: 50 });
    expect(asV1.status).toEqual({ currentReplicas: 2, desiredReplicas: 3, currentCPUUtilizationPercentage: 70 });
    expect(JSON.parse(asV1.metadata.annotations['autoscaling.alpha.kubernetes.io/metrics'])[0]).toEqual({
      type: 'Pods',
      pods: { metricName: 'rps', targetAverageValue: '1k' },
    });
    expect(asV1.metadata.annotations['autoscaling.alpha.kubernetes.io/behavior']).toBe(
      '{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":"Min","Policies":[{"Type":"Pods","Value":1,"PeriodSeconds":60}],"Tolerance":null}}',
    );
    // What came from annotations goes first.
    const [cpu, ...others] = full.spec.metrics;
    expect(autoscalerToV2(asV1)).toEqual({ ...full, spec: { ...full.spec, metrics: [...others, cpu] } });
  });

  it('gains the default metric on its way to storage', () => {
    const stored: Loose = autoscalerToV2({ ...autoscaler({ minReplicas: 1 }), apiVersion: 'autoscaling/v1' });
    expect(stored.apiVersion).toBe('autoscaling/v2');
    expect(stored.spec.metrics[0].resource.target.averageUtilization).toBe(80);
    expect(stored.metadata.annotations).toEqual({ team: 'a' });
  });
});
