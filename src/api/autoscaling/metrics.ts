import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { isDns1123Label, isPathSegmentName } from '../../apimachinery/names.ts';
import { isQuantity, parseQuantity } from '../../apimachinery/quantity.ts';
import { validateContainerResourceName } from '../core/pod-spec/resources.ts';
import { invalidFor } from '../field-checks.ts';
import type {
  CrossVersionObjectReference,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../types/autoscaling.v2.gen.ts';

const sources = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const;

export function validateMetrics(
  path: FieldPath,
  metrics: readonly MetricSpec[],
  minReplicas: number | undefined,
): FieldError[] {
  const errors = metrics.flatMap((metric, index) => validateMetric(path.index(index), metric));
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    errors.push(
      forbiddenField(path, 'must specify at least one Object or External metric to support scaling to zero replicas'),
    );
  return errors;
}

function validateMetric(path: FieldPath, metric: MetricSpec): FieldError[] {
  const { type } = metric;
  const errors: FieldError[] = [];
  const types = Object.keys(sources).sort();
  const expected = Object.hasOwn(sources, type ?? '') ? sources[type as keyof typeof sources] : undefined;
  if (!type) errors.push(required(path.child('type'), 'must specify a metric source type'));
  if (!expected) errors.push(notSupported(path.child('type'), type ?? '', types));
  const present = Object.values(sources).filter((source) => metric[source]);
  const [first] = present;
  if (first) errors.push(...validateSource(path.child(first), metric, first));
  // Upstream says it a second time.
  if (!expected) errors.push(notSupported(path.child('type'), type ?? '', types));
  else if (!metric[expected])
    errors.push(required(path.child(expected), 'must populate information for the given metric source'));
  if (present.length !== 1)
    for (const source of present)
      if (source !== expected)
        errors.push(forbiddenField(path.child(source), 'must populate the given metric source only'));
  return errors;
}

function validateSource(
  path: FieldPath,
  metric: MetricSpec,
  source: (typeof sources)[keyof typeof sources],
): FieldError[] {
  const target = path.child('target');
  switch (source) {
    case 'object': {
      const given = metric.object!;
      return [
        ...validateObjectReference(path.child('describedObject'), given.describedObject),
        ...validateIdentifier(path.child('metric'), given.metric),
        ...validateTarget(target, given.target),
        ...(given.target?.value === undefined && given.target?.averageValue === undefined
          ? [required(target.child('averageValue'), 'must set either a target value or averageValue')]
          : []),
      ];
    }
    case 'external': {
      const given = metric.external!;
      const errors = [
        ...validateIdentifier(path.child('metric'), given.metric),
        ...validateTarget(target, given.target),
      ];
      const { value, averageValue } = given.target ?? {};
      if (value === undefined && averageValue === undefined)
        errors.push(
          required(target.child('averageValue'), 'must set either a target value for metric or a per-pod target'),
        );
      if (value !== undefined && averageValue !== undefined)
        errors.push(
          forbiddenField(target.child('value'), 'may not set both a target value for metric and a per-pod target'),
        );
      return errors;
    }
    case 'pods': {
      const given = metric.pods!;
      return [
        ...validateIdentifier(path.child('metric'), given.metric),
        ...validateTarget(target, given.target),
        ...(given.target?.averageValue === undefined
          ? [required(target.child('averageValue'), 'must specify a positive target averageValue')]
          : []),
      ];
    }
    case 'resource': {
      const { name, target: aim } = metric.resource!;
      return [
        ...(name ? [] : [required(path.child('name'), 'must specify a resource name')]),
        ...validateResourceTarget(target, aim),
      ];
    }
    case 'containerResource': {
      const { name, container, target: aim } = metric.containerResource!;
      return [
        ...(name
          ? validateContainerResourceName(name, path.child('name'))
          : [required(path.child('name'), 'must specify a resource name')]),
        ...(container
          ? invalidFor(path.child('container'), container, isDns1123Label(container))
          : [required(path.child('container'), 'must specify a container')]),
        ...validateResourceTarget(target, aim),
      ];
    }
  }
}

function validateResourceTarget(at: FieldPath, target: MetricTarget | undefined): FieldError[] {
  const errors = validateTarget(at, target);
  const { averageUtilization, averageValue } = target ?? {};
  if (averageUtilization === undefined && averageValue === undefined)
    errors.push(required(at.child('averageUtilization'), 'must set either a target raw value or a target utilization'));
  if (averageUtilization !== undefined && averageValue !== undefined)
    errors.push(
      forbiddenField(at.child('averageValue'), 'may not set both a target raw value and a target utilization'),
    );
  return errors;
}

function validateTarget(path: FieldPath, target: MetricTarget | undefined): FieldError[] {
  const { type = '', averageUtilization } = target ?? ({} as Partial<MetricTarget>);
  const errors = type ? [] : [required(path.child('type'), 'must specify a metric target type')];
  if (!['Utilization', 'Value', 'AverageValue'].includes(type))
    errors.push(invalidValue(path.child('type'), type, 'must be either Utilization, Value, or AverageValue'));
  for (const field of ['value', 'averageValue'] as const) {
    const quantity = target?.[field];
    if (quantity !== undefined && isQuantity(quantity) && parseQuantity(quantity).sign() !== 1)
      errors.push(invalidValue(path.child(field), quantity, 'must be positive'));
  }
  if (averageUtilization !== undefined && averageUtilization < 1)
    errors.push(invalidValue(path.child('averageUtilization'), averageUtilization, 'must be greater than 0'));
  return errors;
}

function validateIdentifier(path: FieldPath, metric: MetricIdentifier | undefined): FieldError[] {
  const name = metric?.name;
  return name
    ? invalidFor(path.child('name'), name, isPathSegmentName(name))
    : [required(path.child('name'), 'must specify a metric name')];
}

export function validateObjectReference(
  path: FieldPath,
  reference: CrossVersionObjectReference | undefined,
): FieldError[] {
  return (['kind', 'name'] as const).flatMap((field) => {
    const value = reference?.[field];
    return value ? invalidFor(path.child(field), value, isPathSegmentName(value)) : [required(path.child(field))];
  });
}

/** What is wrong with the `apiVersion` of a reference. Only ReplicationControllers scale without being of a named group. */
export function apiVersionProblem(
  reference: CrossVersionObjectReference | undefined,
  allowCoreGroup = reference?.kind === 'ReplicationController',
): string | undefined {
  const apiVersion = reference?.apiVersion ?? '';
  const parts = apiVersion === '/' ? [''] : apiVersion.split('/');
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  const group = parts.length === 2 ? parts[0] : '';
  return group || allowCoreGroup ? undefined : 'apiVersion must specify API group';
}
