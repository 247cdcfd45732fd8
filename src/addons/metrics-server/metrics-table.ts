import type { NodeMetrics, PodMetrics, ResourceUsage } from './metrics-objects.ts';

export interface MetricsRow {
  readonly object: NodeMetrics | PodMetrics;
  readonly usage: ResourceUsage;
}

/** The version of meta.k8s.io Tables that the Accept header asks for before anything else, if it does. */
export function tableVersion(accept = ''): string | undefined {
  for (const part of accept.split(',')) {
    const [type, ...parameters] = part.split(';').map((text) => text.trim());
    if (type !== 'application/json') continue;
    const values = new Map(parameters.map((text) => text.split('=') as [string, string]));
    if (values.get('as') !== 'Table') return undefined;
    const version = values.get('v') ?? '';
    if (values.get('g') === 'meta.k8s.io' && (version === 'v1' || version === 'v1beta1')) return version;
  }
  return undefined;
}

/** As upstream's metrics server prints them: name, one column per resource, window. */
export function metricsTable(version: string, rows: readonly MetricsRow[], includeObject = 'Metadata'): object {
  const column = (name: string, format: string, description = '') => ({
    name,
    type: 'string',
    format,
    description,
    priority: 0,
  });
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: {},
    columnDefinitions: [
      column('Name', 'name', 'Name of the resource'),
      column('cpu', 'quantity'),
      column('memory', 'quantity'),
      column('Window', 'duration'),
    ],
    rows: rows.map(({ object, usage }) => ({
      cells: [object.metadata.name, usage.cpu, usage.memory, object.window],
      ...(includeObject === 'None'
        ? {}
        : {
            object:
              includeObject === 'Object'
                ? object
                : { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata },
          }),
    })),
  };
}
