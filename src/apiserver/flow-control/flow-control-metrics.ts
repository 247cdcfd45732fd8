import type { MetricFamily } from '../health/exposition.ts';
import { type FlowCounts, WAIT_BUCKETS } from './flow-counts.ts';
import type { PriorityLevel } from './priority-level.ts';

const PREFIX = 'apiserver_flowcontrol_';

/** What priority and fairness has done, with Kubernetes' names. */
export function* flowControlMetrics(
  levels: Iterable<PriorityLevel>,
  counts: Iterable<FlowCounts>,
): Iterable<MetricFamily> {
  const flows = [...counts].map((count) => ({
    labels: { priority_level: count.priorityLevel, flow_schema: count.flowSchema },
    count,
  }));
  const ofFlows = (type: 'counter' | 'gauge', name: string, help: string, value: (count: FlowCounts) => number) => ({
    type,
    name: PREFIX + name,
    help,
    samples: flows.map(({ labels, count }) => ({ labels, value: value(count) })),
  });
  yield ofFlows('counter', 'dispatched_requests_total', 'Requests let in.', ({ dispatched }) => dispatched);
  yield ofFlows('gauge', 'current_executing_requests', 'Requests worked on.', ({ executing }) => executing);
  yield ofFlows('gauge', 'current_executing_seats', 'Seats that requests hold.', ({ seats }) => seats);
  yield ofFlows('gauge', 'current_inqueue_requests', 'Requests that wait in queues.', ({ queued }) => queued);
  yield {
    type: 'counter',
    name: `${PREFIX}rejected_requests_total`,
    help: 'Requests refused, by reason.',
    samples: flows.flatMap(({ labels, count }) =>
      [...count.rejected].map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
    ),
  };
  yield {
    type: 'histogram',
    name: `${PREFIX}request_wait_duration_seconds`,
    help: 'How long requests waited in queues before they were let in.',
    samples: flows.map(({ labels, count }) => {
      const atOnce = count.dispatched - count.waited;
      return {
        labels: { ...labels, execute: 'true' },
        bounds: WAIT_BUCKETS,
        buckets: count.waits.map((waits) => waits + atOnce),
        sum: count.waitedSeconds,
        count: count.dispatched,
      };
    }),
  };
  const limits = [...levels].filter(({ exempt }) => !exempt);
  for (const [name, help] of [
    ['nominal_limit_seats', 'Seats that a priority level has by its shares.'],
    ['current_limit_seats', 'Seats that a priority level may use now.'],
  ] as const)
    yield {
      type: 'gauge',
      name: PREFIX + name,
      help,
      samples: limits.map(({ name, limit }) => ({ labels: { priority_level: name }, value: limit })),
    };
}
