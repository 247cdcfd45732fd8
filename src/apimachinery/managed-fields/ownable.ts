import type { UnstructuredObject } from '../meta.ts';
import type { Comparison } from './compare.ts';
import { difference, type FieldSet, leaf, onlyPaths, withoutPaths } from './field-set.ts';

/** Fields that nobody owns, whoever writes them. */
const neverOwned: FieldSet = {
  'f:apiVersion': leaf,
  'f:kind': leaf,
  'f:metadata': {
    '.': leaf,
    'f:name': leaf,
    'f:namespace': leaf,
    'f:creationTimestamp': leaf,
    'f:selfLink': leaf,
    'f:uid': leaf,
    'f:clusterName': leaf,
    'f:generation': leaf,
    'f:managedFields': leaf,
    'f:resourceVersion': leaf,
  },
};

export function ownable(fields: FieldSet): FieldSet {
  return difference(fields, neverOwned);
}

/**
 * What an endpoint resets, with all below it (`status` for the main resource), or all but what it changes: dotted paths, `*` for
 * any item of a list.
 */
export type Reset = readonly string[] | { readonly allBut: readonly string[] };

export function ignoring(fields: FieldSet, ignore: Reset): FieldSet {
  if ('allBut' in ignore) return onlyPaths(fields, pathsOf(ignore.allBut));
  return ignore.length === 0 ? fields : withoutPaths(fields, pathsOf(ignore));
}

const pathsOf = (dotted: readonly string[]) => dotted.map((path) => path.split('.'));

export function ignoringChanges(changes: Comparison, ignore: Reset): Comparison {
  if ('length' in ignore && ignore.length === 0) return changes;
  return {
    added: ignoring(changes.added, ignore),
    modified: ignoring(changes.modified, ignore),
    removed: ignoring(changes.removed, ignore),
  };
}

export function withoutManagedFields(object: UnstructuredObject): UnstructuredObject {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** RFC 3339 in seconds, as `metav1.Time` is written. */
export function timestamp(now: Date | number | string): string {
  return typeof now === 'string' ? now : `${new Date(now).toISOString().slice(0, 19)}Z`;
}
