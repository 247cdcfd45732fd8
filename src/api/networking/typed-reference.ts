import { type FieldError, type FieldPath, required } from '../../apimachinery/field.ts';
import { isDns1123Subdomain, isPathSegmentName } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';

/** A reference to an object by API group (absent: the core group), kind and name. */
export function validateTypedReference(
  path: FieldPath,
  { apiGroup, kind, name }: { readonly apiGroup?: string; readonly kind: string; readonly name: string },
): FieldError[] {
  return [
    ...(apiGroup === undefined ? [] : invalidFor(path.child('apiGroup'), apiGroup, isDns1123Subdomain(apiGroup))),
    ...(kind
      ? invalidFor(path.child('kind'), kind, isPathSegmentName(kind))
      : [required(path.child('kind'), 'kind is required')]),
    ...(name
      ? invalidFor(path.child('name'), name, isPathSegmentName(name))
      : [required(path.child('name'), 'name is required')]),
  ];
}
