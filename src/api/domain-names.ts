import { type FieldError, type FieldPath, invalidValue, required } from '../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain, isHttpPath } from '../apimachinery/names.ts';
import { invalidFor } from './field-checks.ts';

/** A domain with a path below it: `acme.io/foo`. */
export function validateDomainPrefixedPath(path: FieldPath, value: string | undefined): FieldError[] {
  if (!value) return [required(path)];
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1)
    return [invalidValue(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const host = value.slice(0, slash);
  const below = value.slice(slash + 1);
  return [...invalidFor(path, host, isDns1123Subdomain(host)), ...invalidFor(path, below, isHttpPath(below))];
}

/** A name of at least three domain segments: `hook.example.com`. */
export function validateFullyQualifiedName(path: FieldPath, name: string | undefined): FieldError[] {
  if (!name) return [required(path)];
  const messages = isDns1123Subdomain(name);
  if (messages.length > 0) return [invalidValue(path, name, messages.join(','))];
  if (name.split('.').length < 3)
    return [invalidValue(path, name, 'should be a domain with at least three segments separated by dots')];
  return [];
}

/** A host name of at least two labels, with or without the final dot. */
export function validateFullyQualifiedDomainName(path: FieldPath, name: string): FieldError[] {
  if (name === '') return [required(path)];
  const domain = name.endsWith('.') ? name.slice(0, -1) : name;
  const messages = isDns1123Subdomain(domain);
  if (messages.length > 0) return [invalidValue(path, domain, messages.join(','))];
  const labels = domain.split('.');
  if (labels.length < 2)
    return [invalidValue(path, domain, 'should be a domain with at least two segments separated by dots')];
  return labels.flatMap((label) => invalidFor(path, label, isDns1123Label(label)));
}
