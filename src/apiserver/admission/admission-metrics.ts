import type { AdmissionOperation, AdmissionStep } from '../../sdk/admission.ts';
import type { HistogramSample, MetricFamily } from '../health/exposition.ts';
import { Histogram } from '../health/histogram.ts';

const BOUNDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const WEBHOOK_BOUNDS = [...BOUNDS, 10, 25];
const OPERATIONS: readonly AdmissionOperation[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'];
const MAX_CODE = 600;

export type AdmissionType = 'admit' | 'validate';

/** By type, operation and whether it was rejected. */
type Series = (Histogram | undefined)[];

export interface WebhookCall {
  readonly name: string;
  readonly type: AdmissionType;
  readonly operation: AdmissionOperation;
  readonly seconds: number;
  readonly rejected: boolean;
  /** Of the answer that the client gets, or of the failure. */
  readonly code: number;
  /** The call itself failed; `failedOpen` when that was ignored. */
  readonly failed: boolean;
  readonly failedOpen: boolean;
}

/** How long admission took and what it rejected: of whole phases, of steps and of webhooks. */
export class AdmissionMetrics {
  readonly #phases: Series = [];
  readonly #steps = new Map<string, Series>();
  readonly #webhooks = new Map<string, { readonly labels: Readonly<Record<string, string>>; histogram: Histogram }>();
  readonly #counters = new Map<string, Map<string, { labels: Readonly<Record<string, string>>; value: number }>>();

  phase(type: AdmissionType, operation: AdmissionOperation, rejected: boolean, seconds: number): void {
    observe(this.#phases, type, operation, rejected, seconds);
  }

  step(
    { name }: AdmissionStep,
    type: AdmissionType,
    operation: AdmissionOperation,
    rejected: boolean,
    s: number,
  ): void {
    let series = this.#steps.get(name);
    if (!series) {
      series = [];
      this.#steps.set(name, series);
    }
    observe(series, type, operation, rejected, s);
  }

  webhook({ name, type, operation, seconds, rejected, code, failed, failedOpen }: WebhookCall): void {
    const labels = { name, operation, rejected: String(rejected), type };
    const key = JSON.stringify(labels);
    let known = this.#webhooks.get(key);
    if (!known) {
      known = { labels, histogram: new Histogram(WEBHOOK_BOUNDS) };
      this.#webhooks.set(key, known);
    }
    known.histogram.observe(seconds);
    const bounded = String(Math.min(code, MAX_CODE));
    this.#count('webhook_request_total', { code: bounded, ...labels });
    if (failedOpen) this.#count('webhook_fail_open_count', { name, type });
    if (rejected)
      this.#count('webhook_rejection_count', {
        error_type: failed ? 'calling_webhook_error' : 'no_error',
        name,
        operation,
        rejection_code: failed ? '0' : bounded,
        type,
      });
  }

  *families(): Iterable<MetricFamily> {
    const prefix = 'apiserver_admission_';
    yield {
      type: 'histogram',
      name: `${prefix}step_admission_duration_seconds`,
      help: 'How long the admit and validate phases took, by operation.',
      samples: samples(this.#phases, {}),
    };
    yield {
      type: 'histogram',
      name: `${prefix}controller_admission_duration_seconds`,
      help: 'How long admission steps took, by name, operation and type.',
      samples: [...this.#steps].flatMap(([name, series]) => samples(series, { name })),
    };
    yield {
      type: 'histogram',
      name: `${prefix}webhook_admission_duration_seconds`,
      help: 'How long admission webhooks took, by name, operation and type.',
      samples: [...this.#webhooks.values()].map(({ labels, histogram }) => histogram.sample(labels)),
    };
    for (const [name, help] of [
      ['webhook_request_total', 'Calls of admission webhooks.'],
      ['webhook_rejection_count', 'Requests that admission webhooks, or failures of them, rejected.'],
      ['webhook_fail_open_count', 'Failures of admission webhooks that were ignored.'],
    ] as const)
      yield { type: 'counter', name: prefix + name, help, samples: this.#counters.get(name)?.values() ?? [] };
  }

  #count(counter: string, labels: Readonly<Record<string, string>>): void {
    const series = this.#counters.get(counter) ?? new Map();
    this.#counters.set(counter, series);
    const key = JSON.stringify(labels);
    const known = series.get(key) ?? { labels, value: 0 };
    known.value++;
    series.set(key, known);
  }
}

function observe(
  series: Series,
  type: AdmissionType,
  operation: AdmissionOperation,
  rejected: boolean,
  seconds: number,
): void {
  const index = OPERATIONS.indexOf(operation) * 4 + (type === 'admit' ? 0 : 2) + (rejected ? 1 : 0);
  let histogram = series[index];
  if (!histogram) {
    histogram = new Histogram(BOUNDS);
    series[index] = histogram;
  }
  histogram.observe(seconds);
}

function samples(series: Series, labels: Readonly<Record<string, string>>): HistogramSample[] {
  return [...series.entries()].flatMap(([index, histogram]) =>
    histogram
      ? histogram.sample({
          ...labels,
          operation: OPERATIONS[index >> 2]!,
          rejected: String(index % 2 === 1),
          type: (index & 2) === 0 ? 'admit' : 'validate',
        })
      : [],
  );
}
