import { type FieldError, type FieldPath, invalidValue, required } from '../../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';

const SEGMENT = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

/** What is wrong with a path such as `acme.io/department`. */
export function domainPrefixedPathErrors(path: FieldPath, value: string): readonly FieldError[] {
  if (value === '') return [required(path)];
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1)
    return [invalidValue(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const errors = isDns1123Subdomain(value.slice(0, slash)).map((why) => invalidValue(path, value.slice(0, slash), why));
  const rest = value.slice(slash + 1);
  if (!SEGMENT.test(rest))
    errors.push(
      invalidValue(path, rest, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"),
    );
  return errors;
}
