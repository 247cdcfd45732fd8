import { type Draft, draft } from '../../apimachinery/json.ts';
import { applyDefaults } from '../../apimachinery/typecheck.ts';
import type { KindDefinition } from '../kind.ts';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';

/** What the tests of kinds share: objects as the API server makes them. */

// biome-ignore lint/suspicious/noExplicitAny: objects of many kinds, read field by field
export type Loose = any;

export function create(kind: KindDefinition, object: object, name = 'x'): Loose {
  const result = draft({ metadata: { name, namespace: 'default' }, ...object }) as Loose;
  applyDefaults(result, kind.schema);
  kind.default?.(result);
  kind.prepareForCreate?.(result);
  return result;
}

export function update(
  kind: KindDefinition,
  old: Loose,
  change: (object: Loose) => void,
): { object: Loose; errors: string[] } {
  const object = draft(old) as Loose;
  change(object);
  applyDefaults(object, kind.schema);
  kind.default?.(object);
  kind.prepareForUpdate?.(object, old);
  const errors = [...(kind.validate?.(object, old) ?? []), ...(kind.validateUpdate?.(object, old) ?? [])];
  return { object, errors: errors.map(String) };
}

export const errorsOf = (kind: KindDefinition, object: Loose) => (kind.validate?.(object) ?? []).map(String);
export const now = Date.parse('2026-01-01T01:00:00Z');
export const row = (kind: KindDefinition, object: Loose) =>
  Object.fromEntries(kind.columns.map(({ name, value }) => [name, value(object, now)]));

export function podOf(spec: object, metadata: object = {}): Pod {
  const pod = draft({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec,
  });
  applyDefaults(pod, podKind.schema);
  podKind.default?.(pod as never);
  podKind.prepareForCreate?.(pod as never);
  return pod as unknown as Pod;
}
export const podErrors = (pod: Pod) => (podKind.validate?.(pod) ?? []).map(String);
export const podUpdateErrors = (change: (pod: Draft<Pod>) => void, old: Pod) => {
  const next = draft(old);
  change(next);
  return (podKind.validateUpdate?.(next as Pod, old) ?? []).map(String);
};
export const minimalPod = { containers: [{ name: 'web', image: 'nginx' }] };
