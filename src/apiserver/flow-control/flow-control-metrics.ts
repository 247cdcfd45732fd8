import type { HistogramSample, Labels, MetricFamily } from '../health/exposition.ts';
import type { Histogram } from '../health/histogram.ts';
import type { FlowCounts } from './flow-counts.ts';
import type { PriorityAndFairness } from './priority-and-fairness.ts';
import type { PriorityLevel } from './priority-level.ts';

const PREFIX = 'apiserver_flowcontrol_';

type OfFlow = readonly [type: 'counter' | 'gauge', name: string, help: string, value: (count: FlowCounts) => number];
type OfLevel = readonly [name: string, help: string, value: (level: PriorityLevel) => number];

const OF_FLOWS: readonly OfFlow[] = [
  ['counter', 'dispatched_requests_total', 'Requests let in.', ({ dispatched }) => dispatched],
  [
    'counter',
    'request_dispatch_no_accommodation_total',
    'Requests that found no seat free.',
    ({ unaccommodated }) => unaccommodated,
  ],
  ['gauge', 'current_executing_requests', 'Requests worked on.', ({ executing }) => executing],
  ['gauge', 'current_executing_seats', 'Seats that requests hold.', ({ seats }) => seats],
  ['gauge', 'current_inqueue_requests', 'Requests that wait in queues.', ({ queued }) => queued],
  ['gauge', 'current_inqueue_seats', 'Seats that requests in queues wait for.', ({ queuedSeats }) => queuedSeats],
];

const OF_LEVELS: readonly OfLevel[] = [
  ['nominal_limit_seats', 'Seats that a priority level has by its shares.', ({ nominal }) => nominal],
  ['lower_limit_seats', 'Seats that a priority level keeps however much it lends.', ({ lower }) => lower],
  ['upper_limit_seats', 'Seats that a priority level has at most, borrowed ones included.', ({ upper }) => upper],
  ['current_limit_seats', 'Seats that a priority level may use now.', ({ limit }) => limit],
  [
    'demand_seats_high_watermark',
    'Most seats wanted at once, in the last period.',
    ({ demand }) => demand.highWatermark,
  ],
  ['demand_seats_average', 'Seats wanted on average, in the last period.', ({ demand }) => demand.average],
  [
    'demand_seats_stdev',
    'Standard deviation of the seats wanted, in the last period.',
    ({ demand }) => demand.deviation,
  ],
  ['demand_seats_smoothed', 'Smoothed demand for seats.', ({ demand }) => demand.smoothed],
  ['target_seats', 'Seats that a priority level was to have, had there been enough for all.', ({ target }) => target],
];

/** What priority and fairness has done, with Kubernetes' names. */
export function* flowControlMetrics(fairness: PriorityAndFairness): Iterable<MetricFamily> {
  const flows = [...fairness.counts()].map((count) => ({
    labels: { priority_level: count.priorityLevel, flow_schema: count.flowSchema },
    count,
  }));
  for (const [type, name, help, value] of OF_FLOWS)
    yield {
      type,
      name: PREFIX + name,
      help,
      samples: flows.map(({ labels, count }) => ({ labels, value: value(count) })),
    };
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
    help: 'How long requests waited in queues.',
    samples: flows.flatMap(({ labels, count: { waits, vainWaits, dispatched } }) => [
      withImmediate(waits.sample({ ...labels, execute: 'true' }), dispatched - waits.count),
      ...some(vainWaits, { ...labels, execute: 'false' }),
    ]),
  };
  yield {
    type: 'histogram',
    name: `${PREFIX}request_execution_seconds`,
    help: 'How long requests held their seats.',
    samples: flows.flatMap(({ labels, count: { executions, watchStarts } }) => [
      ...some(executions, { ...labels, type: 'regular' }),
      ...some(watchStarts, { ...labels, type: 'watch' }),
    ]),
  };
  yield {
    type: 'histogram',
    name: `${PREFIX}work_estimated_seats`,
    help: 'How many seats requests were thought to take.',
    samples: flows.flatMap(({ labels, count: { widths } }) => some(widths, labels)),
  };
  yield {
    type: 'histogram',
    name: `${PREFIX}request_queue_length_after_enqueue`,
    help: 'Length of the queue that a request was put in, with it.',
    samples: flows.flatMap(({ labels, count: { queueLengths } }) => some(queueLengths, labels)),
  };
  const levels = [...fairness.levels()];
  for (const [name, help, value] of OF_LEVELS)
    yield {
      type: 'gauge',
      name: PREFIX + name,
      help,
      samples: levels.map((level) => ({ labels: { priority_level: level.name }, value: value(level) })),
    };
  yield {
    type: 'gauge',
    name: `${PREFIX}seat_fair_frac`,
    help: 'Of the seats that levels wanted at the last adjustment, the fraction that there was.',
    samples: [{ labels: {}, value: fairness.fairFraction }],
  };
}

const some = (histogram: Histogram, labels: Labels) => (histogram.count ? [histogram.sample(labels)] : []);

/** `sample`, and so many that took no time at all. */
function withImmediate(sample: HistogramSample, immediate: number): HistogramSample {
  return {
    ...sample,
    buckets: sample.buckets.map((count) => count + immediate),
    count: sample.count + immediate,
  };
}
