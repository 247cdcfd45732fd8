import { type FieldError, type FieldPath, invalidValue, required, tooLong } from '../../apimachinery/field.ts';
import { isDns1123Subdomain, isQualifiedName } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';

const maxCount = 512;
const maxBytes = 256 * 1024;

/** The driver that provisions or attaches. */
export function validateDriver(path: FieldPath, name: string | undefined): FieldError[] {
  return name ? invalidFor(path, name.toLowerCase(), isQualifiedName(name.toLowerCase())) : [required(path)];
}

export function validateParameters(
  path: FieldPath,
  parameters: Readonly<Record<string, string>> | undefined,
  allowEmpty: boolean,
): FieldError[] {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > maxCount) return [tooLong(path, maxCount)];
  const errors = entries.some(([key]) => key === '') ? [invalidValue(path, '', 'field can not be empty.')] : [];
  if (byteSize(parameters) > maxBytes) errors.push(tooLong(path, maxBytes));
  if (!allowEmpty && entries.length === 0) errors.push(required(path, 'must contain at least one key/value pair'));
  return errors;
}

export function byteSize(map: Readonly<Record<string, string>> | undefined): number {
  return Object.entries(map ?? {}).reduce(
    (total, [key, value]) => total + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
}

/** A CSI driver's name: a domain of at most 63 bytes. */
export function validateCsiDriverName(path: FieldPath, name: string | undefined): FieldError[] {
  if (!name) return [required(path)];
  const lower = name.toLowerCase();
  return [...(name.length > 63 ? [tooLong(path, 63)] : []), ...invalidFor(path, lower, isDns1123Subdomain(lower))];
}
