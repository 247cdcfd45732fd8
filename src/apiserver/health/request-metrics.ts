import type { InFlight } from '../request/in-flight.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';

const BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 30, 60];

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  count: number;
  sum: number;
  readonly buckets: number[];
}

/**
 * What requests came and how long they took. Counting is cheap; the metrics library is loaded and fed when somebody
 * scrapes.
 */
export class RequestMetrics {
  readonly #requests = new Map<string, Series>();

  /** `seconds`: until the answer was ready to be sent. */
  observe(info: RequestInfo, code: number, seconds: number): void {
    const scope = info.namespace ? (info.name ? 'resource' : 'namespace') : info.resourceRequest ? 'cluster' : '';
    const key = `${info.verb}|${info.group}|${info.version}|${info.resource}|${info.subresource}|${scope}|${code}`;
    let series = this.#requests.get(key);
    if (!series) {
      const { group, version, resource, subresource } = info;
      const verb = info.verb.toUpperCase();
      series = {
        labels: { verb, group, version, resource, subresource, scope, code: String(code) },
        count: 0,
        sum: 0,
        buckets: new Array(BUCKETS.length).fill(0),
      };
      // Bounded: what is not served at all has no resource worth counting by name.
      if (this.#requests.size > 5000) return;
      this.#requests.set(key, series);
    }
    series.count++;
    series.sum += seconds;
    for (let i = BUCKETS.length - 1; i >= 0 && seconds <= BUCKETS[i]!; i--) series.buckets[i]!++;
  }

  async expose(inFlight: InFlight, cache: WatchCache): Promise<{ contentType: string; body: string }> {
    const { Registry, Gauge, collectDefaultMetrics } = await import('prom-client');
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const gauge = (name: string, help: string, labelNames: string[]) =>
      new Gauge({ name, help, labelNames, registers: [registry] });
    const current = gauge('apiserver_current_inflight_requests', 'Requests that are worked on.', ['request_kind']);
    current.set({ request_kind: 'readOnly' }, inFlight.counts.readOnly);
    current.set({ request_kind: 'mutating' }, inFlight.counts.mutating);
    const objects = gauge('apiserver_storage_objects', 'Stored objects by resource.', ['resource']);
    for (const resource of cache.resources()) objects.set({ resource: resource.name }, resource.size);
    const watches = gauge('apiserver_longrunning_requests', 'Running watches by resource.', ['resource', 'verb']);
    for (const resource of cache.resources()) {
      const count = resource.watchers().length;
      if (count) watches.set({ resource: resource.name, verb: 'WATCH' }, count);
    }
    return { contentType: registry.contentType, body: `${await registry.metrics()}${this.#requestText()}` };
  }

  /** Counter and histogram in the exposition format, from the sums as they are. */
  #requestText(): string {
    const lines = [
      '# HELP apiserver_request_total Requests by verb, resource and HTTP status code.',
      '# TYPE apiserver_request_total counter',
    ];
    for (const { labels, count } of this.#requests.values())
      lines.push(`apiserver_request_total${show(labels)} ${count}`);
    const name = 'apiserver_request_duration_seconds';
    lines.push(`# HELP ${name} Time until a request was answered.`, `# TYPE ${name} histogram`);
    for (const { labels, count, sum, buckets } of this.#withoutCode()) {
      for (const [index, value] of buckets.entries())
        lines.push(`${name}_bucket${show({ ...labels, le: String(BUCKETS[index]) })} ${value}`);
      lines.push(`${name}_bucket${show({ ...labels, le: '+Inf' })} ${count}`);
      lines.push(`${name}_sum${show(labels)} ${sum}`, `${name}_count${show(labels)} ${count}`);
    }
    return `${lines.join('\n')}\n`;
  }

  #withoutCode(): Iterable<Series> {
    const merged = new Map<string, Series>();
    for (const series of this.#requests.values()) {
      const { code: _code, ...labels } = series.labels;
      const key = JSON.stringify(labels);
      const known = merged.get(key);
      if (!known) merged.set(key, { ...series, labels, buckets: [...series.buckets] });
      else {
        known.count += series.count;
        known.sum += series.sum;
        series.buckets.forEach((value, index) => {
          known.buckets[index]! += value;
        });
      }
    }
    return merged.values();
  }
}

function show(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`,
  );
  return `{${pairs.join(',')}}`;
}

export function addMetricsRoute(
  router: RequestRouter,
  metrics: RequestMetrics,
  inFlight: InFlight,
  cache: WatchCache,
): void {
  router.addPath('/metrics', async () => {
    const { contentType, body } = await metrics.expose(inFlight, cache);
    return { type: 'content', status: 200, contentType, body };
  });
}
