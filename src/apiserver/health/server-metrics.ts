import type { Registry } from 'prom-client';
import type { InFlight } from '../request/in-flight.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';
import { exposition, type MetricFamily, type MetricSource } from './exposition.ts';

export interface ServerMetricsOptions {
  readonly router: RequestRouter;
  readonly inFlight: InFlight;
  readonly cache: WatchCache;
  readonly sources: readonly MetricSource[];
  /** As `/version` tells it. */
  readonly version: Readonly<Record<string, string>>;
}

/** Serves `/metrics`. The metrics library, for what the process itself tells, is loaded when somebody scrapes. */
export function addMetricsRoute(options: ServerMetricsOptions): void {
  let loading: Promise<Registry> | undefined;
  options.router.addPath('/metrics', async () => {
    loading ??= processMetrics();
    const registry = await loading;
    const own = exposition([...families(options), ...options.sources.flatMap((source) => [...source()])]);
    return {
      type: 'content',
      status: 200,
      contentType: registry.contentType,
      body: `${await registry.metrics()}${own}`,
    };
  });
}

async function processMetrics(): Promise<Registry> {
  const { Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

function* families({ inFlight, cache, version }: ServerMetricsOptions): Iterable<MetricFamily> {
  const { readOnly, mutating } = inFlight.counts;
  yield {
    type: 'gauge',
    name: 'apiserver_current_inflight_requests',
    help: 'Requests that are worked on, by kind.',
    samples: [
      { labels: { request_kind: 'readOnly' }, value: readOnly },
      { labels: { request_kind: 'mutating' }, value: mutating },
    ],
  };
  const resources = [...cache.resources()];
  yield {
    type: 'gauge',
    name: 'apiserver_storage_objects',
    help: 'Stored objects by resource.',
    samples: resources.map(({ name, size }) => ({ labels: { resource: name }, value: size })),
  };
  yield {
    type: 'gauge',
    name: 'apiserver_resource_objects',
    help: 'Stored objects by group and resource.',
    samples: resources.map(({ name, size }) => {
      const [resource = '', ...group] = name.split('.');
      return { labels: { group: group.join('.'), resource }, value: size };
    }),
  };
  yield {
    type: 'gauge',
    name: 'kubernetes_build_info',
    help: 'Constant 1, labelled by the version of Kubernetes that is served and what it was built from.',
    samples: [{ labels: snakeCase(version), value: 1 }],
  };
}

function snakeCase(fields: Readonly<Record<string, string>>): Record<string, string> {
  const named = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [named(name), value]));
}
