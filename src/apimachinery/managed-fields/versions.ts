import type { UnstructuredObject } from '../meta.ts';
import type { Schema } from '../schema.ts';
import { type Comparison, compare } from './compare.ts';
import { ignoringChanges, type Reset } from './ownable.ts';

/** Another version of a kind, in which somebody may have written an object. */
export interface OtherVersion {
  readonly schema: Schema;
  /** From the version of the request to this one. */
  convert(object: UnstructuredObject): UnstructuredObject;
  /** Back again. */
  revert(object: UnstructuredObject): UnstructuredObject;
}

/** `undefined` for a version in which the kind is not served: what was written in it belongs to nobody any more. */
export type Versions = (apiVersion: string) => OtherVersion | undefined;

/** What changed, in the fields of a version; `undefined` as in `Versions`. */
export type ChangesOf = (apiVersion: string) => Comparison | undefined;

/** `changes` are those between `old` and `current` in their own version, `apiVersion`. */
export function changesByVersion(
  changes: Comparison,
  apiVersion: string,
  old: UnstructuredObject,
  current: UnstructuredObject,
  { versions, ignore }: { readonly versions?: Versions | undefined; readonly ignore: Reset },
): ChangesOf {
  if (!versions) return () => changes;
  const known = new Map<string, Comparison | undefined>([[apiVersion, changes]]);
  return (wanted) => {
    if (known.has(wanted)) return known.get(wanted);
    const version = versions(wanted);
    const found =
      version && ignoringChanges(compare(version.convert(old), version.convert(current), version.schema), ignore);
    known.set(wanted, found);
    return found;
  };
}
