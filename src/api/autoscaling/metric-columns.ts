import { ageColumn, column, nameColumn } from '../columns.ts';
import type { PrinterColumn } from '../kind.ts';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../types/autoscaling.v2.gen.ts';

/** The columns of both versions; v1 objects are converted first. */
export function autoscalerColumns<
  T extends HorizontalPodAutoscaler | { readonly metadata: HorizontalPodAutoscaler['metadata'] },
>(asV2: (object: T) => HorizontalPodAutoscaler): readonly PrinterColumn<T>[] {
  const of = (name: string, description: string, value: (object: HorizontalPodAutoscaler) => string | number) =>
    column<T>(name, (object) => value(asV2(object)), { description });
  return [
    nameColumn as PrinterColumn<T>,
    of('Reference', 'Object that is scaled', ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`),
    of('Targets', 'Current value and target of each metric', ({ spec, status }) =>
      targets(spec.metrics ?? [], status?.currentMetrics ?? []),
    ),
    of('MinPods', 'Lower limit of the replicas', ({ spec }) => String(spec.minReplicas ?? '<unset>')),
    of('MaxPods', 'Upper limit of the replicas', ({ spec }) => spec.maxReplicas),
    of('Replicas', 'Replicas now', ({ status }) => status?.currentReplicas ?? 0),
    ageColumn as PrinterColumn<T>,
  ];
}

function targets(metrics: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (metrics.length === 0) return '<none>';
  const texts = metrics.map((metric, index) => metricText(metric, statuses[index]));
  return texts.length > 2 ? `${texts.slice(0, 2).join(', ')} + ${texts.length - 2} more...` : texts.join(', ');
}

const percent = (value: number | undefined, absent: string) => (value === undefined ? absent : `${value}%`);

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  const unknown = '<unknown>';
  switch (metric.type) {
    case 'External':
    case 'Object': {
      const source = metric.type === 'External' ? 'external' : 'object';
      const { averageValue, value } = metric[source]?.target ?? {};
      const current = status?.[source]?.current;
      if (averageValue !== undefined) return `${current?.averageValue ?? unknown}/${averageValue} (avg)`;
      return `${current ? (current.value ?? '0') : unknown}/${value ?? '0'}`;
    }
    case 'Pods': {
      const current = status?.pods?.current;
      return `${current ? (current.averageValue ?? '0') : unknown}/${metric.pods?.target.averageValue ?? '0'}`;
    }
    case 'Resource':
    case 'ContainerResource': {
      const source = metric.type === 'Resource' ? 'resource' : 'containerResource';
      const { name = '', target } = metric[source] ?? {};
      const current = status?.[source]?.current;
      if (target?.averageValue !== undefined)
        return `${name}: ${current ? (current.averageValue ?? '0') : unknown}/${target.averageValue}`;
      return `${name}: ${percent(current?.averageUtilization, unknown)}/${percent(target?.averageUtilization, '<auto>')}`;
    }
    default:
      return '<unknown type>';
  }
}
