import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
} from '../../api/types/autoscaling.v2.gen.ts';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { isPodReady } from '../pod-state.ts';
import type { MetricsSource } from './metrics-source.ts';
import {
  groupPods,
  type PodMetrics,
  podRequests,
  proposeByRatio,
  proposeReplicas,
  type Tolerances,
} from './replica-calculator.ts';

/** What the metrics of a target are looked at with. */
export interface EvaluationInput {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly pods: readonly Pod[];
  /** Of the scale subresource, serialized. */
  readonly selector: string;
  readonly current: number;
  readonly source: MetricsSource;
  readonly now: number;
  /** The plural resource of a kind, for metrics of objects. */
  readonly resourceOf: (apiVersion: string | undefined, kind: string) => Promise<string>;
}

export interface EvaluatedMetric {
  readonly replicas: number;
  readonly status: MetricStatus;
  /** As events name it: `cpu resource utilization (percentage of request)`. */
  readonly name: string;
}

/** A metric that can't be read; `reason` is that of the condition ScalingActive. */
export class MetricUnavailableError extends Error {
  override readonly name = 'MetricUnavailableError';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

const DEFAULT_TOLERANCE = 0.1;
const milli = (quantity: string | undefined) => Number(Quantity.parse(quantity ?? '0').milliValue());
const quantity = (value: number) => Quantity.parse(`${Math.floor(value)}m`).toString();

export async function evaluateMetric(spec: MetricSpec, input: EvaluationInput): Promise<EvaluatedMetric> {
  const unavailable = (reason: string, what: string) => (error: unknown) => {
    throw new MetricUnavailableError(reason, `${what}: ${(error as Error).message}`);
  };
  switch (spec.type) {
    case 'Resource': {
      const { name = '', target } = spec.resource ?? { target: { type: '' } };
      return evaluateResource(name, undefined, target, input).catch(
        unavailable('FailedGetResourceMetric', `failed to get ${name} ${describe(target)}`),
      );
    }
    case 'ContainerResource': {
      const { name = '', container = '', target } = spec.containerResource ?? { target: { type: '' } };
      return evaluateResource(name, container, target, input).catch(
        unavailable('FailedGetContainerResourceMetric', `failed to get ${name} ${describe(target)}`),
      );
    }
    case 'Pods':
      return evaluatePods(spec, input).catch(unavailable('FailedGetPodsMetric', 'failed to get pods metric value'));
    case 'Object':
      return evaluateObject(spec, input).catch(
        unavailable('FailedGetObjectMetric', 'failed to get object metric value'),
      );
    case 'External':
      return evaluateExternal(spec, input).catch(
        unavailable('FailedGetExternalMetric', `failed to get ${spec.external?.metric.name} external metric value`),
      );
    default:
      throw new MetricUnavailableError('InvalidMetricSourceType', `unknown metric source type "${spec.type}"`);
  }
}

const describe = ({ type }: MetricTarget) => (type === 'Utilization' ? 'utilization' : 'resource metric value');

function tolerances({ spec }: HorizontalPodAutoscaler): Tolerances {
  const of = (text: string | undefined) => (text === undefined ? DEFAULT_TOLERANCE : milli(text) / 1000);
  return { up: of(spec.behavior?.scaleUp?.tolerance), down: of(spec.behavior?.scaleDown?.tolerance) };
}

async function evaluateResource(
  resource: string,
  container: string | undefined,
  target: MetricTarget,
  { autoscaler, pods, selector, current, source, now }: EvaluationInput,
): Promise<EvaluatedMetric> {
  const namespace = autoscaler.metadata.namespace ?? '';
  const metrics = await source.resource(namespace, selector, resource, container);
  const groups = groupPods(pods, metrics, resource === 'cpu', now);
  const relative = target.type === 'Utilization';
  const requests = relative ? podRequests(pods, resource, container) : undefined;
  const aim = relative ? (target.averageUtilization ?? 0) : milli(target.averageValue);
  const proposal = proposeReplicas(current, metrics, groups, aim, tolerances(autoscaler), requests);
  const value = {
    averageValue: quantity(proposal.average),
    ...(relative ? { averageUtilization: proposal.utilization } : {}),
  };
  const kind = relative ? 'resource utilization (percentage of request)' : 'resource';
  return container === undefined
    ? {
        replicas: proposal.replicas,
        name: `${resource} ${kind}`,
        status: { type: 'Resource', resource: { name: resource, current: value } },
      }
    : {
        replicas: proposal.replicas,
        name: `${resource} container ${kind}`,
        status: { type: 'ContainerResource', containerResource: { name: resource, container, current: value } },
      };
}

async function evaluatePods(
  { pods: spec }: MetricSpec,
  { autoscaler, pods, selector, current, source, now }: EvaluationInput,
): Promise<EvaluatedMetric> {
  if (!spec) throw new Error('the metric has no pods source');
  const metrics: PodMetrics = await source.pods(
    autoscaler.metadata.namespace ?? '',
    selector,
    spec.metric.name,
    spec.metric.selector,
  );
  const groups = groupPods(pods, metrics, false, now);
  const proposal = proposeReplicas(current, metrics, groups, milli(spec.target.averageValue), tolerances(autoscaler));
  return {
    replicas: proposal.replicas,
    name: `pods metric ${spec.metric.name}`,
    status: { type: 'Pods', pods: { metric: spec.metric, current: { averageValue: quantity(proposal.average) } } },
  };
}

async function evaluateObject({ object: spec }: MetricSpec, input: EvaluationInput): Promise<EvaluatedMetric> {
  if (!spec) throw new Error('the metric has no object source');
  const { describedObject, metric, target } = spec;
  const resource = await input.resourceOf(describedObject.apiVersion, describedObject.kind);
  const namespace = input.autoscaler.metadata.namespace ?? '';
  const value = await input.source.object(namespace, resource, describedObject.name, metric.name, metric.selector);
  return {
    replicas: byTarget(value, target, input),
    name: `${describedObject.kind} metric ${metric.name}`,
    status: {
      type: 'Object',
      object: { describedObject, metric, current: currentValue(value, target, input.current) },
    },
  };
}

async function evaluateExternal({ external: spec }: MetricSpec, input: EvaluationInput): Promise<EvaluatedMetric> {
  if (!spec) throw new Error('the metric has no external source');
  const { metric, target } = spec;
  const value = await input.source.external(input.autoscaler.metadata.namespace ?? '', metric.name, metric.selector);
  return {
    replicas: byTarget(value, target, input),
    name: `external metric ${metric.name}`,
    status: { type: 'External', external: { metric, current: currentValue(value, target, input.current) } },
  };
}

function byTarget(value: number, target: MetricTarget, { autoscaler, pods, current }: EvaluationInput): number {
  const limits = tolerances(autoscaler);
  if (target.type === 'AverageValue') {
    const perPod = milli(target.averageValue);
    const ratio = current === 0 ? Number.POSITIVE_INFINITY : value / (perPod * current);
    return ratio >= 1 - limits.down && ratio <= 1 + limits.up ? current : Math.ceil(value / perPod);
  }
  return proposeByRatio(value / milli(target.value), pods.filter(isPodReady).length, current, limits);
}

function currentValue(value: number, target: MetricTarget, replicas: number) {
  return target.type === 'AverageValue'
    ? { averageValue: quantity(replicas === 0 ? value : value / replicas) }
    : { value: quantity(value) };
}
