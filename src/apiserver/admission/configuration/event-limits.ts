import { FieldPath, invalidValue, required } from '../../../apimachinery/field.ts';
import { ConfigurationDocument } from '../../authentication/configuration/configuration-document.ts';

const TYPES = ['Server', 'Namespace', 'User', 'SourceAndObject'] as const;

/** So many events a second on average, `burst` at once, of each key of the type; `cacheSize` keys are remembered. */
export interface EventLimit {
  readonly type: (typeof TYPES)[number];
  readonly qps: number;
  readonly burst: number;
  readonly cacheSize: number;
}

const DEFAULT_CACHE_SIZE = 4096;

/** A Configuration of eventratelimit.admission.k8s.io. Throws ConfigurationFault. */
export function readEventLimits(given: unknown): readonly EventLimit[] {
  const versions = ['eventratelimit.admission.k8s.io/v1alpha1'];
  const document = new ConfigurationDocument(given, 'Configuration', versions, ['limits']);
  const limits = document.list(document.root.limits, FieldPath.of('limits')).map(({ value, path }): EventLimit => {
    const fields = document.fields(value, path, ['type', 'qps', 'burst', 'cacheSize']);
    const positive = (name: 'qps' | 'burst') => {
      const number = document.count(fields[name], path.child(name));
      if (number === 0) document.errors.push(invalidValue(path.child(name), number, 'must be positive'));
      return number;
    };
    return {
      type: document.choice(fields.type, path.child('type'), TYPES),
      qps: positive('qps'),
      burst: positive('burst'),
      cacheSize: document.count(fields.cacheSize, path.child('cacheSize')) || DEFAULT_CACHE_SIZE,
    };
  });
  if (limits.length === 0) document.errors.push(required(FieldPath.of('limits')));
  document.finish();
  return limits;
}
