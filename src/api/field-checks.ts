import { FieldError, type FieldPath, invalidValue, notSupported, required } from '../apimachinery/field.ts';

/** Checks that validations of many kinds share, in Kubernetes' wording. Each returns the errors found, none if valid. */

export const atLeastZero = 'must be greater than or equal to 0';
export const immutableMessage = 'field is immutable';

/** How Go prints an absent pointer, as the value of an error; absent lists and maps are `null`. */
export const absent = 'null';

/** The field of errors that are about no field: how Go prints an empty path. */
export const wholeObject = '[]';

export function nonNegative(path: FieldPath, value: number | undefined): FieldError[] {
  return value !== undefined && value < 0 ? [invalidValue(path, value, atLeastZero)] : [];
}

export function immutable(path: FieldPath, value: unknown, old: unknown): FieldError[] {
  return semanticEqual(value, old) ? [] : [invalidValue(path, value, immutableMessage)];
}

/** One error per message, as name checks return them. */
export function invalidFor(path: FieldPath, value: unknown, messages: readonly string[]): FieldError[] {
  return messages.map((message) => invalidValue(path, value, message));
}

/** An invalid value too large, too secret or too absent to be shown. */
export function invalidWithoutValue(path: FieldPath, detail: string): FieldError {
  return new FieldError('FieldValueInvalid', path, `Invalid value: ${detail}`);
}

/** Absent is allowed, anything else must be one of `supported`. */
export function optionalOneOf(path: FieldPath, value: string | undefined, supported: readonly string[]): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

export function requiredOneOf(path: FieldPath, value: string | undefined, supported: readonly string[]): FieldError[] {
  return value === undefined || value === '' ? [required(path)] : optionalOneOf(path, value, supported);
}

/** The indexes of values that were there before. */
export function repeatedIndexes(values: readonly unknown[]): ReadonlySet<number> {
  const seen = new Set<unknown>();
  const repeated = new Set<number>();
  values.forEach((value, index) => {
    if (seen.has(value)) repeated.add(index);
    seen.add(value);
  });
  return repeated;
}

/** Deep equality of JSON data where an absent list and an empty one, and an absent field and null, are the same. */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isAbsent(a) || isAbsent(b)) return isAbsent(a) && isAbsent(b);
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => semanticEqual(item, b[index]));
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(left)) if (!semanticEqual(left[key], own(right, key))) return false;
  for (const key of Object.keys(right)) if (!Object.hasOwn(left, key) && !isAbsent(right[key])) return false;
  return true;
}

const own = (object: Readonly<Record<string, unknown>>, key: string) =>
  Object.hasOwn(object, key) ? object[key] : undefined;

const isAbsent = (value: unknown) =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);
