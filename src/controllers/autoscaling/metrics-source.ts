import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import type { LabelSelector } from '../../apimachinery/meta.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { Client } from '../../client/client.ts';
import type { PodMetrics } from './replica-calculator.ts';

interface PodMetricsList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly timestamp: string;
    readonly window: string;
    readonly containers: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
  }[];
}
interface MetricValueList {
  readonly items: readonly {
    readonly describedObject?: { readonly name?: string };
    readonly timestamp: string;
    readonly windowSeconds?: number;
    readonly value: string;
  }[];
}

/** `metrics.k8s.io`, `custom.metrics.k8s.io` and `external.metrics.k8s.io`. Values are milli-units. */
export interface MetricsSource {
  resource(namespace: string, selector: string, resource: string, container?: string): Promise<PodMetrics>;
  pods(namespace: string, selector: string, metric: string, metricSelector?: LabelSelector): Promise<PodMetrics>;
  object(namespace: string, resource: string, name: string, metric: string, selector?: LabelSelector): Promise<number>;
  external(namespace: string, metric: string, selector?: LabelSelector): Promise<number>;
}

export function createMetricsSource(client: Client): MetricsSource {
  const get = async <T>(path: string, query: Record<string, string | undefined>) =>
    (await client.request<T>({ method: 'GET', path, query })).body;
  const text = (selector: LabelSelector | undefined) =>
    selector ? labelSelectorMatcher(selector).toString() || undefined : undefined;
  const custom = (namespace: string, resource: string, name: string, metric: string) =>
    `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/${resource}/${name}/${encodeURIComponent(metric)}`;

  return {
    async resource(namespace, labelSelector, resource, container) {
      const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`;
      const { items } = await get<PodMetricsList>(path, { labelSelector });
      const metrics = new Map();
      for (const { metadata, timestamp, window, containers } of items) {
        const measured = containers.filter(({ name }) => container === undefined || name === container);
        const usages = measured.map(({ usage }) => usage[resource]);
        // One container without a value makes the pod's sum meaningless.
        if (usages.length === 0 || usages.includes(undefined)) continue;
        const value = usages.reduce((total, usage) => total + milli(usage ?? '0'), 0);
        metrics.set(metadata.name, { value, timestamp: Date.parse(timestamp), windowMs: durationMs(window) });
      }
      if (metrics.size === 0) throw new Error('no metrics returned from resource metrics API');
      return metrics;
    },
    async pods(namespace, labelSelector, metric, metricSelector) {
      const query = { labelSelector, metricLabelSelector: text(metricSelector) };
      const { items } = await get<MetricValueList>(custom(namespace, 'pods', '*', metric), query);
      if (items.length === 0) throw new Error('no metrics returned from custom metrics API');
      return new Map(
        items.map(({ describedObject, timestamp, windowSeconds, value }) => [
          describedObject?.name ?? '',
          { value: milli(value), timestamp: Date.parse(timestamp), windowMs: (windowSeconds ?? 60) * 1000 },
        ]),
      );
    },
    async object(namespace, resource, name, metric, selector) {
      const query = { metricLabelSelector: text(selector) };
      const { items } = await get<MetricValueList>(custom(namespace, resource, name, metric), query);
      if (items[0] === undefined) throw new Error('no metrics returned from custom metrics API');
      return milli(items[0].value);
    },
    async external(namespace, metric, selector) {
      const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric)}`;
      const { items } = await get<MetricValueList>(path, { labelSelector: text(selector) });
      if (items.length === 0) throw new Error('no metrics returned from external metrics API');
      return items.reduce((total, { value }) => total + milli(value), 0);
    },
  };
}

const milli = (quantity: string) => Number(Quantity.parse(quantity).milliValue());

/** Go's durations as metrics servers write them: `15.062s`, `1m30s`. */
function durationMs(text: string): number {
  let total = 0;
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|h|m|s)/g))
    total += Number(number) * (units[unit ?? ''] ?? 0);
  return total;
}
