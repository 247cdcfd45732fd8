import { type FieldError, type FieldPath, invalidValue, required, tooLong } from '../../apimachinery/field.ts';
import { isCIdentifier, isDns1123Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';
import { validateCsiDriverName } from '../storage/parameters.ts';

/** Drivers of devices are named as CSI drivers are. */
export const validateDriverName = validateCsiDriverName;

export function validateLabelName(path: FieldPath, name: string | undefined): FieldError[] {
  return invalidFor(path, name ?? '', isDns1123Label(name ?? ''));
}

/** Domains separated by slashes. */
export function validatePoolName(path: FieldPath, name: string | undefined): FieldError[] {
  if (!name) return [required(path)];
  return [
    ...(name.length > 253 ? [tooLong(path, 253)] : []),
    ...name.split('/').flatMap((part) => invalidFor(path, part, isDns1123Subdomain(part))),
  ];
}

/** The key of an attribute or a capacity: an identifier, or `domain/identifier`. */
export function validateQualifiedName(path: FieldPath, name: string): FieldError[] {
  const parts = name.split('/');
  if (parts.length === 1) return validateIdentifier(path, name);
  if (parts.length > 2) return [invalidValue(path, name, 'must not contain more than one slash')];
  const [domain = '', id = ''] = parts;
  return [
    ...(domain === '' ? [invalidValue(path, '', 'the domain must not be empty')] : validateDriverName(path, domain)),
    ...(id === '' ? [invalidValue(path, '', 'the name must not be empty')] : validateIdentifier(path, id)),
  ];
}

export function validateFullyQualifiedName(path: FieldPath, name: string): FieldError[] {
  const errors = validateQualifiedName(path, name);
  if (!name.includes('/'))
    errors.push(invalidValue(path, name, 'a fully qualified name must be a domain and a name separated by a slash'));
  return errors;
}

function validateIdentifier(path: FieldPath, id: string): FieldError[] {
  return [...(id.length > 32 ? [tooLong(path, 32)] : []), ...invalidFor(path, id, isCIdentifier(id))];
}
