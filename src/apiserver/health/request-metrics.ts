import type { KindDefinition } from '../../api/kind.ts';
import type { RequestObserver } from '../request/request-chain.ts';
import type { RequestInfo } from '../request/request-info.ts';
import { AccessMetrics } from './access-metrics.ts';
import type { HistogramSample, Labels, MetricFamily, Sample } from './exposition.ts';
import { addToBucket, cumulative } from './histogram.ts';

const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/** Of all series together: clients make up resources and paths. */
const MAX_SERIES = 5000;

const reportedVerbs: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT', proxy: 'CONNECT' };
const connected = new Set(['attach', 'exec', 'portforward', 'proxy']);
const countedPaths = new Set(['/healthz', '/livez', '/readyz', '/metrics', '/version', '/api', '/apis', '/openapi/v2']);

interface Series {
  readonly info: RequestInfo;
  readonly dryRun: string;
  readonly code: number;
  count: number;
  seconds: number;
  readonly durations: number[];
  bytes: number;
  readonly sizes: number[];
}

/** What requests came, how long they took and what was sent; summed up when somebody scrapes. */
export class RequestMetrics implements RequestObserver {
  /** By resource, or path: few enough to look through. */
  readonly #requests = new Map<string, Series[]>();
  readonly #longRunning = new Map<string, { readonly info: RequestInfo; count: number }>();
  readonly #events = new Map<KindDefinition, number>();
  readonly #access = new AccessMetrics();
  #size = 0;

  observe(
    info: RequestInfo,
    query: URLSearchParams,
    { code, seconds, bytes }: { code: number; seconds: number; bytes: number },
  ): void {
    const dryRun = info.resourceRequest && info.verb !== 'get' && query.has('dryRun') ? 'All' : '';
    const series = this.#series(info, code, dryRun);
    if (!series) return;
    series.count++;
    series.seconds += seconds;
    addToBucket(series.durations, SECONDS, seconds);
    if (info.verb !== 'get' && info.verb !== 'list') return;
    series.bytes += bytes;
    addToBucket(series.sizes, BYTES, bytes);
  }

  authenticated(...given: Parameters<AccessMetrics['authenticated']>): void {
    this.#access.authenticated(...given);
  }

  authorized(...given: Parameters<AccessMetrics['authorized']>): void {
    this.#access.authorized(...given);
  }

  startLongRunning(info: RequestInfo): () => void {
    const key = JSON.stringify(labelsOf(info));
    let running = this.#longRunning.get(key);
    if (!running) {
      running = { info, count: 0 };
      if (this.#longRunning.size < MAX_SERIES) this.#longRunning.set(key, running);
    }
    const counted = running;
    counted.count++;
    return () => {
      counted.count--;
    };
  }

  countWatchEvents = (definition: KindDefinition, count: number): void => {
    this.#events.set(definition, (this.#events.get(definition) ?? 0) + count);
  };

  *families(): Iterable<MetricFamily> {
    yield* this.#access.families();
    const all = [...this.#requests.values()].flat();
    yield {
      type: 'counter',
      name: 'apiserver_request_total',
      help: 'Requests by verb, dry run, group, version, resource, scope, component and HTTP response code.',
      samples: merged(all, (series) => ({ ...requestLabels(series), code: String(series.code) })).map(
        ({ labels, parts }): Sample => ({ labels, value: sum(parts, ({ count }) => count) }),
      ),
    };
    yield {
      type: 'histogram',
      name: 'apiserver_request_duration_seconds',
      help: 'Response latency in seconds by verb, dry run, group, version, resource, subresource, scope and component.',
      samples: histograms(
        all,
        requestLabels,
        SECONDS,
        ({ durations }) => durations,
        ({ seconds }) => seconds,
      ),
    };
    yield {
      type: 'histogram',
      name: 'apiserver_request_sli_duration_seconds',
      help: 'Response latency in seconds by verb, group, version, resource, subresource, scope and component.',
      samples: histograms(
        all,
        ({ info }) => labelsOf(info),
        SECONDS,
        ({ durations }) => durations,
        ({ seconds }) => seconds,
      ),
    };
    yield {
      type: 'histogram',
      name: 'apiserver_response_sizes',
      help: 'Response size in bytes of reads by verb, group, version, resource, subresource, scope and component.',
      samples: histograms(
        all.filter(({ info }) => info.verb === 'get' || info.verb === 'list'),
        ({ info }) => labelsOf(info),
        BYTES,
        ({ sizes }) => sizes,
        ({ bytes }) => bytes,
      ),
    };
    yield {
      type: 'gauge',
      name: 'apiserver_longrunning_requests',
      help: 'Requests that may take any time and run now, by verb, group, version, resource, scope and component.',
      samples: [...this.#longRunning.values()].map(({ info, count }) => ({ labels: labelsOf(info), value: count })),
    };
    yield {
      type: 'counter',
      name: 'apiserver_watch_events_total',
      help: 'Events sent to watching clients.',
      samples: [...this.#events].map(([{ group, version, resource }, value]) => ({
        labels: { group, version, resource },
        value,
      })),
    };
  }

  #series(info: RequestInfo, code: number, dryRun: string): Series | undefined {
    const place = info.resourceRequest ? info.resource : pathOf(info);
    let list = this.#requests.get(place);
    if (!list) {
      if (this.#size >= MAX_SERIES) return undefined;
      list = [];
      this.#requests.set(place, list);
    }
    for (const series of list)
      if (series.code === code && series.dryRun === dryRun && sameSeries(series.info, info)) return series;
    if (this.#size >= MAX_SERIES) return undefined;
    this.#size++;
    const series: Series = {
      // Not the request's own, which may hold on to much.
      info: { ...info, path: info.resourceRequest ? '' : place, rest: [] },
      dryRun,
      code,
      count: 0,
      seconds: 0,
      durations: new Array(SECONDS.length).fill(0),
      bytes: 0,
      sizes: new Array(BYTES.length).fill(0),
    };
    list.push(series);
    return series;
  }
}

function sameSeries(a: RequestInfo, b: RequestInfo): boolean {
  return (
    a.verb === b.verb &&
    a.subresource === b.subresource &&
    a.group === b.group &&
    a.version === b.version &&
    a.resourceRequest === b.resourceRequest &&
    (a.name === '') === (b.name === '') &&
    (a.namespace === '') === (b.namespace === '')
  );
}

function pathOf({ path }: RequestInfo): string {
  if (countedPaths.has(path)) return path;
  return path.startsWith('/openapi/v3') ? '/openapi/v3' : '';
}

function scopeOf({ name, verb, namespace, resourceRequest }: RequestInfo): string {
  if (name !== '' || verb === 'create') return 'resource';
  if (namespace !== '') return 'namespace';
  return resourceRequest ? 'cluster' : '';
}

function labelsOf(info: RequestInfo): Labels {
  const { group, version, resource, subresource, resourceRequest } = info;
  return {
    verb: connected.has(subresource) ? 'CONNECT' : (reportedVerbs[info.verb] ?? info.verb.toUpperCase()),
    group,
    version,
    resource,
    subresource: resourceRequest ? subresource : info.path,
    scope: scopeOf(info),
    component: resourceRequest ? 'apiserver' : '',
  };
}

const requestLabels = ({ info, dryRun }: Series): Labels => ({ ...labelsOf(info), dry_run: dryRun });

const sum = (parts: readonly Series[], of: (series: Series) => number) =>
  parts.reduce((total, part) => total + of(part), 0);

/** Series that have the same labels, together. */
function merged(all: readonly Series[], labelsOf: (series: Series) => Labels): { labels: Labels; parts: Series[] }[] {
  const groups = new Map<string, { labels: Labels; parts: Series[] }>();
  for (const series of all) {
    const labels = labelsOf(series);
    const key = JSON.stringify(labels);
    const group = groups.get(key);
    if (group) group.parts.push(series);
    else groups.set(key, { labels, parts: [series] });
  }
  return [...groups.values()];
}

function histograms(
  all: readonly Series[],
  labelsOf: (series: Series) => Labels,
  bounds: readonly number[],
  buckets: (series: Series) => readonly number[],
  total: (series: Series) => number,
): HistogramSample[] {
  return merged(all, labelsOf).map(({ labels, parts }) => ({
    labels,
    bounds,
    buckets: cumulative(bounds.map((_, index) => sum(parts, (part) => buckets(part)[index]!))),
    sum: sum(parts, total),
    count: sum(parts, ({ count }) => count),
  }));
}
