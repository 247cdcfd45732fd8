import type { Store, Transaction } from '../../store/store.ts';
import type { MetricFamily } from './exposition.ts';
import { Histogram } from './histogram.ts';

const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
/** Custom resources come and go. */
const MAX_SERIES = 2000;

type Operation = 'get' | 'list' | 'create' | 'update' | 'delete';

interface Series {
  readonly operation: Operation;
  readonly type: string;
  readonly durations: Histogram;
  errors: number;
}

/** What was asked of the store, and how long it took, whatever backend it is. */
export class StoreMetrics {
  readonly #series = new Map<string, Map<Operation, Series>>();
  #size = 0;

  /** The same store, which is measured. */
  measured(store: Store): Store {
    const time = <T>(operation: Operation, key: string, call: () => Promise<T>) => this.#time(operation, key, call);
    return {
      name: store.name,
      revision: () => store.revision(),
      get: (key, options) => time('get', key, () => store.get(key, options)),
      range: (request) => time('list', request.start, () => store.range(request)),
      commit: (transaction) => {
        const first = transaction.operations[0];
        if (!first) return store.commit(transaction);
        return time(operationOf(transaction), first.key, () => store.commit(transaction));
      },
      watch: (request) => store.watch(request),
      compact: (revision) => store.compact(revision),
      grantLease: (seconds) => store.grantLease(seconds),
      keepLeaseAlive: (id) => store.keepLeaseAlive(id),
      revokeLease: (id) => store.revokeLease(id),
      close: () => store.close(),
    };
  }

  *families(): Iterable<MetricFamily> {
    const all = [...this.#series.values()].flatMap((ofType) => [...ofType.values()]);
    const labels = ({ operation, type }: Series) => ({ operation, type });
    yield {
      type: 'histogram',
      name: 'etcd_request_duration_seconds',
      help: 'How long requests to the datastore took, by operation and resource.',
      samples: all.map((series) => series.durations.sample(labels(series))),
    };
    yield {
      type: 'counter',
      name: 'etcd_requests_total',
      help: 'Requests to the datastore, by operation and resource.',
      samples: all.map((series) => ({ labels: labels(series), value: series.durations.count })),
    };
    yield {
      type: 'counter',
      name: 'etcd_request_errors_total',
      help: 'Requests to the datastore that failed, by operation and resource.',
      samples: all
        .filter(({ errors }) => errors > 0)
        .map((series) => ({ labels: labels(series), value: series.errors })),
    };
  }

  #time<T>(operation: Operation, key: string, call: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const done = (failed: boolean) => {
      const series = this.#seriesOf(operation, typeOf(key));
      series?.durations.observe((performance.now() - since) / 1000);
      if (failed && series) series.errors++;
    };
    return call().then(
      (result) => {
        done(false);
        return result;
      },
      (error) => {
        done(true);
        throw error;
      },
    );
  }

  #seriesOf(operation: Operation, type: string): Series | undefined {
    let ofType = this.#series.get(type);
    if (!ofType) {
      if (this.#size >= MAX_SERIES) return undefined;
      ofType = new Map();
      this.#series.set(type, ofType);
    }
    let series = ofType.get(operation);
    if (!series) {
      series = { operation, type, durations: new Histogram(SECONDS), errors: 0 };
      ofType.set(operation, series);
      this.#size++;
    }
    return series;
  }
}

function operationOf({ operations: [first], compare }: Transaction): Operation {
  if (first?.type === 'delete') return 'delete';
  return compare.some(({ modRevision }) => modRevision === 0) ? 'create' : 'update';
}

/** `/registry/apps/deployments/ns/name`: `deployments.apps`. */
function typeOf(key: string): string {
  const [, , group = '', resource = ''] = key.split('/', 4);
  if (resource === '') return group;
  return group === 'core' || group === '' ? resource : `${resource}.${group}`;
}
