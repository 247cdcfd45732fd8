import type { MetricFamily } from './exposition.ts';
import type { HealthEndpoint } from './health-checks.ts';

interface Results {
  holds: boolean;
  success: number;
  error: number;
}

/** What health checks said, each time that somebody asked. */
export class HealthMetrics {
  readonly #results = new Map<HealthEndpoint, Map<string, Results>>();

  observe(endpoint: HealthEndpoint, name: string, holds: boolean): void {
    const ofEndpoint = this.#results.get(endpoint) ?? new Map<string, Results>();
    this.#results.set(endpoint, ofEndpoint);
    const results = ofEndpoint.get(name) ?? { holds, success: 0, error: 0 };
    ofEndpoint.set(name, results);
    results.holds = holds;
    results[holds ? 'success' : 'error']++;
  }

  *families(): Iterable<MetricFamily> {
    const all = [...this.#results].flatMap(([type, checks]) =>
      [...checks].map(([name, results]) => ({ labels: { name, type }, results })),
    );
    yield {
      type: 'gauge',
      name: 'kubernetes_healthcheck',
      help: 'Whether a health check held when it was last asked.',
      samples: all.map(({ labels, results }) => ({ labels, value: Number(results.holds) })),
    };
    yield {
      type: 'counter',
      name: 'kubernetes_healthchecks_total',
      help: 'Results of health checks.',
      samples: all.flatMap(({ labels, results }) =>
        (['success', 'error'] as const)
          .filter((status) => results[status] > 0)
          .map((status) => ({ labels: { ...labels, status }, value: results[status] })),
      ),
    };
  }
}
