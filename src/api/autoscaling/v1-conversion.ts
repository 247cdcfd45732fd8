import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { HorizontalPodAutoscaler as V1 } from '../types/autoscaling.v1.gen.ts';
import type { MetricSpec, MetricStatus, HorizontalPodAutoscaler as V2 } from '../types/autoscaling.v2.gen.ts';
import { cpuMetric, defaultCpuUtilization } from './defaults.ts';

/**
 * autoscaling/v1 knows CPU utilization only; the rest of an autoscaler travels in annotations, in the shapes that
 * Kubernetes gives them there, so that a v1 client can read and write an object without losing any of it.
 */
const annotations = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

export function autoscalerToV2(object: Draft<UnstructuredObject>): Draft<UnstructuredObject> {
  const { spec, status, metadata } = object as unknown as Draft<V1>;
  const kept: Record<string, string> = { ...metadata.annotations };
  const read = <T>(name: string): T | undefined => {
    const text = kept[name];
    delete kept[name];
    try {
      return text === undefined ? undefined : (JSON.parse(text) as T);
    } catch {
      return undefined;
    }
  };
  const { targetCPUUtilizationPercentage, ...restSpec } = spec ?? ({} as Draft<V1>['spec']);
  const otherMetrics = asList<LegacyMetric>(read(annotations.metrics)).map(metricFromLegacy);
  const metrics = [
    ...(targetCPUUtilizationPercentage === undefined ? [] : [cpuMetric(targetCPUUtilizationPercentage)]),
    ...otherMetrics,
  ];
  const behavior = read(annotations.behavior);
  const currentMetrics = read<LegacyMetric[]>(annotations.currentMetrics);
  const conditions = read(annotations.conditions);
  const { currentCPUUtilizationPercentage: cpu, ...restStatus } = status ?? ({} as NonNullable<Draft<V1>['status']>);
  const v2Status = {
    ...restStatus,
    ...(currentMetrics
      ? { currentMetrics: asList<LegacyMetric>(currentMetrics).map(statusFromLegacy) }
      : cpu === undefined
        ? {}
        : { currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: cpu } } }] }),
    ...(conditions ? { conditions } : {}),
  };
  const { annotations: _, ...restMetadata } = metadata;
  return {
    apiVersion: 'autoscaling/v2',
    kind: object.kind,
    metadata: { ...restMetadata, ...(Object.keys(kept).length ? { annotations: kept } : {}) },
    spec: {
      ...restSpec,
      metrics: metrics.length ? metrics : [cpuMetric(defaultCpuUtilization)],
      ...(behavior ? { behavior: mapKeys(behavior, (key) => key.charAt(0).toLowerCase() + key.slice(1)) } : {}),
    },
    ...(status ? { status: v2Status } : {}),
  } as unknown as Draft<UnstructuredObject>;
}

export function autoscalerToV1(object: Draft<UnstructuredObject>): Draft<UnstructuredObject> {
  const { spec, status, metadata } = object as unknown as Draft<V2>;
  const { metrics = [], behavior, ...restSpec } = spec ?? ({} as Draft<V2>['spec']);
  const { currentMetrics = [], conditions = [], ...restStatus } = status ?? ({} as NonNullable<Draft<V2>['status']>);
  const cpu = metrics.find((metric) => isCpu(metric))?.resource?.target.averageUtilization;
  const others = metrics.filter(
    (metric) => !(isCpu(metric) && metric.resource?.target.averageUtilization !== undefined),
  );
  const currentCpu = currentMetrics.findLast((metric) => isCpu(metric))?.resource?.current.averageUtilization;
  const added: Record<string, string> = {};
  if (others.length) added[annotations.metrics] = JSON.stringify(others.map(metricToLegacy));
  if (currentMetrics.length) added[annotations.currentMetrics] = JSON.stringify(currentMetrics.map(statusToLegacy));
  if (conditions.length) added[annotations.conditions] = JSON.stringify(conditions);
  if (behavior)
    added[annotations.behavior] = JSON.stringify(
      mapKeys(behavior, (key) => key.charAt(0).toUpperCase() + key.slice(1)),
    );
  const all = { ...metadata.annotations, ...added };
  return {
    apiVersion: 'autoscaling/v1',
    kind: object.kind,
    metadata: { ...metadata, ...(Object.keys(all).length ? { annotations: all } : {}) },
    spec: { ...restSpec, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) },
    ...(status
      ? {
          status: {
            ...restStatus,
            ...(currentCpu === undefined ? {} : { currentCPUUtilizationPercentage: currentCpu }),
          },
        }
      : {}),
  } as unknown as Draft<UnstructuredObject>;
}

const isCpu = (metric: { readonly type: string; readonly resource?: { readonly name: string } }) =>
  metric.type === 'Resource' && metric.resource?.name === 'cpu';

const asList = <T>(value: unknown): T[] => (Array.isArray(value) ? value : []);

/** A metric as v2alpha1 wrote it: flat, with `metricName`, `targetValue`, `currentAverageValue` and the like. */
type LegacyMetric = Readonly<Record<string, unknown>> & { readonly type: string };

const sourceNames = ['object', 'pods', 'resource', 'containerResource', 'external'] as const;
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function metricToLegacy(metric: MetricSpec): LegacyMetric {
  return toLegacy(metric, 'target');
}

function statusToLegacy(metric: MetricStatus): LegacyMetric {
  return toLegacy(metric, 'current');
}

function toLegacy(metric: MetricSpec | MetricStatus, kind: 'target' | 'current'): LegacyMetric {
  const legacy: Record<string, unknown> = { type: metric.type };
  for (const source of sourceNames) {
    const given = metric[source] as Readonly<Record<string, unknown>> | undefined;
    if (!given) continue;
    const values = (given[kind] ?? {}) as Readonly<Record<string, unknown>>;
    const identifier = given.metric as { readonly name: string; readonly selector?: unknown } | undefined;
    const flat: Record<string, unknown> = {};
    if (given.describedObject) flat.target = given.describedObject;
    for (const field of ['name', 'container']) if (given[field] !== undefined) flat[field] = given[field];
    if (identifier) {
      flat.metricName = identifier.name;
      if (identifier.selector) flat[source === 'external' ? 'metricSelector' : 'selector'] = identifier.selector;
    }
    for (const [field, value] of Object.entries(values))
      if (field !== 'type')
        flat[source === 'object' && field === 'averageValue' ? field : kind + capital(field)] = value;
    legacy[source] = flat;
  }
  return legacy as LegacyMetric;
}

const metricFromLegacy = (legacy: LegacyMetric) => fromLegacy(legacy, 'target');
const statusFromLegacy = (legacy: LegacyMetric) => fromLegacy(legacy, 'current');

function fromLegacy(legacy: LegacyMetric, kind: 'target' | 'current'): Record<string, unknown> {
  const metric: Record<string, unknown> = { type: legacy.type };
  for (const source of sourceNames) {
    const flat = legacy[source] as Readonly<Record<string, unknown>> | undefined;
    if (!flat) continue;
    const values: Record<string, unknown> = {};
    for (const field of ['value', 'averageValue', 'averageUtilization']) {
      const value = flat[kind + capital(field)] ?? (source === 'object' ? flat[field] : undefined);
      if (value !== undefined) values[field] = value;
    }
    if (kind === 'target') values.type = targetType(values);
    const selector = flat.selector ?? flat.metricSelector;
    metric[source] = {
      ...(source === 'object' ? { describedObject: flat.target } : {}),
      ...(flat.name === undefined ? {} : { name: flat.name }),
      ...(flat.container === undefined ? {} : { container: flat.container }),
      ...(flat.metricName === undefined
        ? {}
        : { metric: { name: flat.metricName, ...(selector ? { selector } : {}) } }),
      [kind]: values,
    };
  }
  return metric;
}

function targetType(values: Readonly<Record<string, unknown>>): string {
  if (values.averageUtilization !== undefined) return 'Utilization';
  return values.averageValue !== undefined ? 'AverageValue' : 'Value';
}

function mapKeys(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => mapKeys(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [rename(key), mapKeys(field, rename)]));
}
