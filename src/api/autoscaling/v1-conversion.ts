import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { HorizontalPodAutoscaler as V1 } from '../types/autoscaling.v1.gen.ts';
import type {
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  HorizontalPodAutoscaler as V2,
} from '../types/autoscaling.v2.gen.ts';
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

const roundTripAnnotations: readonly string[] = [
  ...Object.values(annotations),
  'autoscaling.alpha.kubernetes.io/scale-down-tolerance',
  'autoscaling.alpha.kubernetes.io/scale-up-tolerance',
];

/** The annotations without those that conversions make: what a client of autoscaling/v2 writes into those is lost. */
export function withoutRoundTripAnnotations<T extends Readonly<Record<string, string>>>(
  given: T | undefined,
): Record<string, string> | undefined {
  const kept = Object.entries(given ?? {}).filter(([name]) => !roundTripAnnotations.includes(name));
  return kept.length ? Object.fromEntries(kept) : undefined;
}

export function autoscalerToV2(object: Draft<UnstructuredObject>): Draft<UnstructuredObject> {
  const { spec, status, metadata } = object as unknown as Draft<V1>;
  const kept = withoutRoundTripAnnotations(metadata.annotations);
  const read = <T>(name: string): T | undefined => {
    const text = metadata.annotations?.[name];
    try {
      return text === undefined ? undefined : (JSON.parse(text) as T);
    } catch {
      return undefined;
    }
  };
  const { targetCPUUtilizationPercentage, ...restSpec } = spec ?? ({} as Draft<V1>['spec']);
  const otherMetrics = asList<LegacyMetric>(read(annotations.metrics)).map(metricFromLegacy);
  const metrics = [
    ...otherMetrics,
    ...(targetCPUUtilizationPercentage === undefined ? [] : [cpuMetric(targetCPUUtilizationPercentage)]),
  ];
  const behavior = behaviorFromAnnotation(read(annotations.behavior));
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
    ...(Array.isArray(conditions) ? { conditions: conditions.map(withoutNulls) } : {}),
  };
  const { annotations: _, ...restMetadata } = metadata;
  return {
    apiVersion: 'autoscaling/v2',
    kind: object.kind,
    metadata: { ...restMetadata, ...(kept ? { annotations: kept } : {}) },
    spec: {
      ...restSpec,
      metrics: metrics.length ? metrics : [cpuMetric(defaultCpuUtilization)],
      ...(behavior ? { behavior } : {}),
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
  const currentCpu = currentMetrics.findLast(
    (metric) => isCpu(metric) && metric.resource?.current.averageUtilization !== undefined,
  )?.resource?.current.averageUtilization;
  const added: Record<string, string> = {};
  if (others.length) added[annotations.metrics] = JSON.stringify(others.map(metricToLegacy));
  if (currentMetrics.length) added[annotations.currentMetrics] = JSON.stringify(currentMetrics.map(statusToLegacy));
  if (behavior) added[annotations.behavior] = JSON.stringify(behaviorAsInternal(behavior));
  if (conditions.length)
    added[annotations.conditions] = JSON.stringify(
      conditions.map(({ type, status, lastTransitionTime, reason, message }) => ({
        type,
        status,
        lastTransitionTime: lastTransitionTime ?? null,
        reason,
        message,
      })),
    );
  const all = { ...withoutRoundTripAnnotations(metadata.annotations), ...added };
  const { annotations: _, ...restMetadata } = metadata;
  return {
    apiVersion: 'autoscaling/v1',
    kind: object.kind,
    metadata: { ...restMetadata, ...(Object.keys(all).length ? { annotations: all } : {}) },
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

type Values = Readonly<Record<string, unknown>>;

/** Amounts that v1 cannot leave out. */
const requiredAmounts = {
  target: { object: 'value', pods: 'averageValue' },
  current: {
    object: 'value',
    pods: 'averageValue',
    resource: 'averageValue',
    containerResource: 'averageValue',
    external: 'value',
  },
} as const;

function toLegacy(metric: MetricSpec | MetricStatus, kind: 'target' | 'current'): LegacyMetric {
  const legacy: Record<string, unknown> = { type: metric.type };
  for (const source of sourceNames) {
    const given = metric[source] as Values | undefined;
    if (!given) continue;
    const values = (given[kind] ?? {}) as Values;
    const needed = (requiredAmounts[kind] as Readonly<Record<string, string>>)[source];
    const amount = (field: string) => values[field] ?? (field === needed ? '0' : undefined);
    const identifier = given.metric as { readonly name: string; readonly selector?: unknown } | undefined;
    const selector = identifier?.selector;
    const described = given.describedObject as Values | undefined;
    const metricName = identifier?.name;
    const { name, container } = given;
    const value = `${kind}Value`;
    const averageValue = `${kind}AverageValue`;
    const utilization = {
      [`${kind}AverageUtilization`]: amount('averageUtilization'),
      [averageValue]: amount('averageValue'),
    };
    // In the order of the fields of Kubernetes' types, for the text is compared.
    const shapes: Readonly<Record<(typeof sourceNames)[number], Values>> = {
      object: {
        target: described && { kind: described.kind, name: described.name, apiVersion: described.apiVersion },
        metricName,
        [value]: amount('value'),
        selector,
        averageValue: amount('averageValue'),
      },
      pods: { metricName, [averageValue]: amount('averageValue'), selector },
      resource: { name, ...utilization },
      containerResource: { name, ...utilization, container },
      external: {
        metricName,
        metricSelector: selector,
        [value]: amount('value'),
        [averageValue]: amount('averageValue'),
      },
    };
    legacy[source] = Object.fromEntries(Object.entries(shapes[source]).filter(([, field]) => field !== undefined));
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
    // An object's target by average has no value of its own, v1 notwithstanding.
    if (source === 'object' && kind === 'target' && values.averageValue !== undefined && values.value === '0')
      delete values.value;
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

/** Behaviour travels as the server's own type shows itself: by its Go names, absent fields as null. */
function behaviorAsInternal({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): unknown {
  const rules = (given: HPAScalingRules | undefined) =>
    given
      ? {
          StabilizationWindowSeconds: given.stabilizationWindowSeconds ?? null,
          SelectPolicy: given.selectPolicy ?? null,
          Policies:
            given.policies?.map(({ type, value, periodSeconds }) => ({
              Type: type,
              Value: value,
              PeriodSeconds: periodSeconds,
            })) ?? null,
          Tolerance: given.tolerance ?? null,
        }
      : null;
  return { ScaleUp: rules(scaleUp), ScaleDown: rules(scaleDown) };
}

const withoutNulls = (given: unknown) =>
  Object.fromEntries(Object.entries((given ?? {}) as Values).filter(([, field]) => field !== null));

function behaviorFromAnnotation(given: unknown): unknown {
  const behavior = withPlainNames(given);
  return typeof behavior === 'object' && behavior !== null && Object.keys(behavior).length > 0 ? behavior : undefined;
}

function withPlainNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPlainNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([key, field]) => [key.charAt(0).toLowerCase() + key.slice(1), withPlainNames(field)]),
  );
}
