import type { MetricFamily } from './exposition.ts';

export interface ConnectionCounts {
  readonly failedHandshakes: number;
  /** Closed because they asked only to give up. */
  readonly floods: number;
}

/** What became of connections. `listener`: undefined as long as there is none. */
export function* connectionMetrics(listener: () => ConnectionCounts | undefined): Iterable<MetricFamily> {
  const counts = listener();
  if (!counts) return;
  yield {
    type: 'counter',
    name: 'apiserver_tls_handshake_errors_total',
    help: 'Number of requests dropped with TLS handshake errors.',
    samples: [{ labels: {}, value: counts.failedHandshakes }],
  };
  yield {
    type: 'counter',
    name: 'k8ts_apiserver_flooding_connections_total',
    help: 'Connections closed because they made requests only to give them up.',
    samples: [{ labels: {}, value: counts.floods }],
  };
}
