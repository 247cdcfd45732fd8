import { type FieldError, type FieldPath, invalidValue, required, tooLong } from '../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';

const maxDomainLength = 253;
const maxPathLength = 253 + 63 + 1;
const maxLength = maxDomainLength + maxPathLength + 1;

/** `example.com/signer-name`: a domain of two labels at least, and a path of dotted names. */
export function validateSignerName(path: FieldPath, name: string | undefined): FieldError[] {
  if (!name) return [required(path)];
  const [domain = '', below = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0)
    return [
      invalidValue(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  const errors = domain.length > maxDomainLength ? [tooLong(path, maxDomainLength)] : [];
  errors.push(...firstInvalid(path, domain, domain.split('.'), isDns1123Label));
  if (!domain.includes('.'))
    errors.push(invalidValue(path, domain, 'should be a domain with at least two segments separated by dots'));
  errors.push(...firstInvalid(path, below, below.split('.'), isDns1123Subdomain));
  if (below.length > maxPathLength) errors.push(tooLong(path, maxPathLength));
  if (name.length > maxLength) errors.push(tooLong(path, maxLength));
  return errors;
}

function firstInvalid(
  path: FieldPath,
  segment: string,
  labels: readonly string[],
  check: (label: string) => string[],
): FieldError[] {
  const wrong = labels.find((label) => check(label).length > 0);
  if (wrong === undefined) return [];
  return invalidFor(
    path,
    segment,
    check(wrong).map((message) => `validating label ${JSON.stringify(wrong)}: ${message}`),
  );
}
