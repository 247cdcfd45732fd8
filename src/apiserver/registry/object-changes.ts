import type { KindDefinition } from '../../api/kind.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';

type Fields = Readonly<Record<string, unknown>>;

const notSpec = new Set(['apiVersion', 'kind', 'metadata', 'status']);

/** Whether what the kind counts differs: anything but metadata and status, and for some kinds a part of the metadata. */
export function generationChanged(
  { generation }: Pick<KindDefinition, 'generation'>,
  object: UnstructuredObject,
  old: UnstructuredObject,
): boolean {
  if (generation === 'none') return false;
  if (!equalExcept(object, old, notSpec)) return true;
  if (generation === 'spec') return false;
  const field = generation === 'specAndLabels' ? 'labels' : 'annotations';
  return !deepEqual(object.metadata[field] ?? {}, old.metadata[field] ?? {});
}

/** Whether writing `object` over `old` would change nothing; times of managed fields alone are no change. */
export function unchanged(object: UnstructuredObject, old: UnstructuredObject): boolean {
  return (
    equalExcept(object, old, metadataOnly) &&
    equalExcept(fieldsOf(object.metadata), fieldsOf(old.metadata), volatile) &&
    deepEqual(withoutTimes(object), withoutTimes(old))
  );
}

const metadataOnly = new Set(['metadata']);
const volatile = new Set(['managedFields', 'resourceVersion']);

const fieldsOf = (metadata: UnstructuredObject['metadata']) => metadata as unknown as Fields;

function withoutTimes({ metadata: { managedFields } }: UnstructuredObject): unknown {
  return managedFields?.map((entry) => ({ ...entry, time: undefined }));
}

function equalExcept(a: Fields, b: Fields, ignored: ReadonlySet<string>): boolean {
  for (const key in a) {
    if (a[key] === undefined || ignored.has(key)) continue;
    if (!Object.hasOwn(b, key) || !deepEqual(a[key], b[key])) return false;
  }
  for (const key in b) if (b[key] !== undefined && !ignored.has(key) && a[key] === undefined) return false;
  return true;
}
