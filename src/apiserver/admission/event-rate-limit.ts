import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { StatusError } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { EventLimit } from './configuration/event-limits.ts';
import { aggregate } from './rejection.ts';

interface Bucket {
  tokens: number;
  at: number;
}

interface EventParts {
  readonly source?: { readonly component?: string; readonly host?: string };
  readonly involvedObject?: Reference;
  /** In events.k8s.io. */
  readonly regarding?: Reference;
  readonly deprecatedSource?: EventParts['source'];
}

interface Reference {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly apiVersion?: string;
}

/** Refuses Events beyond what is configured; `now` in ms. */
export function eventRateLimit(limits: readonly EventLimit[], now: () => number = Date.now): AdmissionStep {
  const enforcers = limits.map((limit) => ({ limit, buckets: new Map<string, Bucket>() }));
  return {
    name: 'EventRateLimit',
    handles: ({ operation, kind, dryRun }) =>
      kind.kind === 'Event' &&
      (kind.group === '' || kind.group === 'events.k8s.io') &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      !dryRun,
    validate(attributes, object) {
      const at = now();
      const refusals: string[] = [];
      for (const { limit, buckets } of enforcers) {
        const key = keyOf(limit.type, attributes, object);
        if (!take(buckets, key, limit, at))
          refusals.push(`Too many requests: limit reached on type ${limit.type} for key ${key}`);
      }
      if (refusals.length)
        throw new StatusError({
          code: 429,
          reason: 'TooManyRequests',
          message: `Too many requests: ${aggregate(refusals)}`,
        });
    },
  };
}

function take(buckets: Map<string, Bucket>, key: string, { qps, burst, cacheSize }: EventLimit, at: number): boolean {
  const bucket = buckets.get(key) ?? { tokens: burst, at };
  bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1000) * qps);
  bucket.at = at;
  // The key that was longest unused goes first.
  buckets.delete(key);
  buckets.set(key, bucket);
  if (buckets.size > cacheSize) buckets.delete(buckets.keys().next().value!);
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}

function keyOf(
  type: EventLimit['type'],
  { namespace, user }: AdmissionAttributes,
  object: UnstructuredObject | undefined,
): string {
  if (type === 'Namespace') return namespace;
  if (type === 'User') return user.name;
  if (type === 'Server' || !object) return '';
  const event = object as UnstructuredObject & EventParts;
  const { component = '', host = '' } = event.source ?? event.deprecatedSource ?? {};
  const {
    kind = '',
    namespace: of = '',
    name = '',
    uid = '',
    apiVersion = '',
  } = event.involvedObject ?? event.regarding ?? {};
  return [component, host, kind, of, name, uid, apiVersion].join('');
}
