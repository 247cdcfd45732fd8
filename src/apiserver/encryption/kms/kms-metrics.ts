import type { MetricFamily } from '../../health/exposition.ts';
import { exponentialBounds, Histogram } from '../../health/histogram.ts';
import type { KmsService } from './kms-service.ts';

const BOUNDS = exponentialBounds(0.0001, 2, 20);

/** How the calls of KMS plugins went, by plugin. */
export class KmsMetrics {
  readonly #calls = new Map<string, { readonly labels: Readonly<Record<string, string>>; histogram: Histogram }>();

  /** `service`, with its calls counted. */
  counted(provider: string, service: KmsService): KmsService {
    const timed = <A extends unknown[], R>(method: string, call: (...given: A) => Promise<R>) => {
      return async (...given: A): Promise<R> => {
        const since = performance.now();
        try {
          const result = await call(...given);
          this.#observe(provider, method, 'OK', since);
          return result;
        } catch (error) {
          this.#observe(provider, method, /code = (\w+)/.exec((error as Error).message)?.[1] ?? 'UNKNOWN', since);
          throw error;
        }
      };
    };
    return {
      status: timed('status', () => service.status()),
      encrypt: timed('encrypt', (plaintext: Uint8Array) => service.encrypt(plaintext)),
      decrypt: timed('decrypt', (dek: Parameters<KmsService['decrypt']>[0]) => service.decrypt(dek)),
      close: () => service.close(),
    };
  }

  *families(): Iterable<MetricFamily> {
    yield {
      type: 'histogram',
      name: 'apiserver_envelope_encryption_kms_operations_latency_seconds',
      help: 'How long calls of KMS plugins took, by plugin, method and gRPC code.',
      samples: [...this.#calls.values()].map(({ labels, histogram }) => histogram.sample(labels)),
    };
  }

  #observe(provider_name: string, method_name: string, code: string, since: number): void {
    const labels = { grpc_status_code: camelCase(code), method_name, provider_name };
    const key = JSON.stringify(labels);
    let call = this.#calls.get(key);
    if (!call) {
      call = { labels, histogram: new Histogram(BOUNDS) };
      this.#calls.set(key, call);
    }
    call.histogram.observe((performance.now() - since) / 1000);
  }
}

/** `DEADLINE_EXCEEDED` is `DeadlineExceeded` where the labels were made. */
function camelCase(code: string): string {
  if (code === 'OK') return code;
  return code
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
