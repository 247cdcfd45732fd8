import type { MetricFamily } from '../health/exposition.ts';
import { exponentialBounds, Histogram } from '../health/histogram.ts';

export type TransformationType = 'to_storage' | 'from_storage';

interface Operations {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

const BOUNDS = exponentialBounds(5e-6, 2, 25);
const KMS = 'k8s:enc:kms:';

/** What was encrypted and decrypted, by which provider, and how long that took. */
export class TransformationMetrics {
  readonly #operations = new Map<string, Operations>();
  readonly #durations = new Map<string, { readonly labels: Readonly<Record<string, string>>; histogram: Histogram }>();

  /** `since`: of `performance.now()`. `prefix`: of the cipher; undefined when none could be found. */
  observe(type: TransformationType, key: string, prefix: string | undefined, ok: boolean, since: number): void {
    const transformer_prefix = providerOf(prefix);
    const [, , group = '', resource = ''] = key.split('/', 4);
    const name = group === 'core' ? resource : `${resource}.${group}`;
    const labels = {
      resource: name,
      status: ok ? 'OK' : 'Internal',
      transformation_type: type,
      transformer_prefix,
    };
    const id = `${name}\n${ok}\n${type}\n${transformer_prefix}`;
    const operations = this.#operations.get(id) ?? { labels, value: 0 };
    operations.value++;
    this.#operations.set(id, operations);
    if (!ok) return;
    const durationId = `${type}\n${transformer_prefix}`;
    let durations = this.#durations.get(durationId);
    if (!durations) {
      durations = { labels: { transformation_type: type, transformer_prefix }, histogram: new Histogram(BOUNDS) };
      this.#durations.set(durationId, durations);
    }
    durations.histogram.observe((performance.now() - since) / 1000);
  }

  *families(): Iterable<MetricFamily> {
    yield {
      type: 'counter',
      name: 'apiserver_storage_transformation_operations_total',
      help: 'Transformations of stored values, by resource, direction, provider and outcome.',
      samples: this.#operations.values(),
    };
    yield {
      type: 'histogram',
      name: 'apiserver_storage_transformation_duration_seconds',
      help: 'How long transformations of stored values took.',
      samples: [...this.#durations.values()].map(({ labels, histogram }) => histogram.sample(labels)),
    };
  }
}

/** Without the name of the key, of which there may be many. */
function providerOf(prefix: string | undefined): string {
  if (prefix === undefined) return 'unknown';
  if (prefix === '') return 'identity';
  return prefix.startsWith(KMS) ? prefix : `${prefix.split(':').slice(0, 4).join(':')}:`;
}
