import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { isDictionary, setKey } from '../../apimachinery/schema-walk.ts';

/** Simple paths into custom resources: `.spec.replicas`, without brackets. */

export function fieldAt(object: UnstructuredObject, steps: readonly string[]): unknown {
  let value: unknown = object;
  for (const step of steps) {
    if (!isDictionary(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}

/** Makes the objects on the way there; `object` is a draft. */
export function setFieldAt(object: unknown, steps: readonly string[], value: unknown): void {
  let parent = object as Record<string, unknown>;
  for (const step of steps.slice(0, -1)) {
    const child = Object.hasOwn(parent, step) ? parent[step] : undefined;
    if (isDictionary(child)) parent = child;
    else {
      const made = {};
      setKey(parent, step, made);
      parent = made;
    }
  }
  setKey(parent, steps.at(-1)!, value);
}

export function stepsOf(path: string): readonly string[] {
  return path.split('.').filter((step) => step !== '');
}
