import { type FieldError, FieldPath, invalidValue, required } from '../../../apimachinery/field.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../../apimachinery/names.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import { type Dictionary, isDictionary } from '../../../apimachinery/schema-walk.ts';
import { visitEmbedded } from '../schema/decode-object.ts';

/** Resources inside a resource say what they are, and have metadata that would do. */
export function embeddedResourceErrors(object: unknown, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  visitEmbedded(object, schema, (embedded, at) => errors.push(...embeddedErrors(embedded, FieldPath.of(at))));
  return errors;
}

function embeddedErrors({ apiVersion, kind, metadata }: Dictionary, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (!apiVersion) errors.push(required(path.child('apiVersion'), 'must not be empty'));
  else if (typeof apiVersion === 'string' && !/^([^/\s]+\/)?[^/\s]+$/.test(apiVersion))
    errors.push(invalidValue(path.child('apiVersion'), apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  if (!kind) errors.push(required(path.child('kind'), 'must not be empty'));
  else if (typeof kind === 'string')
    for (const message of isDns1035Label(kind.toLowerCase()))
      errors.push(
        invalidValue(path.child('kind'), kind, `may have mixed case, but should otherwise match: ${message}`),
      );
  if (!isDictionary(metadata)) return errors;
  const at = path.child('metadata');
  if (typeof metadata.name === 'string' && metadata.name !== '')
    for (const message of isDns1123Subdomain(metadata.name))
      errors.push(invalidValue(at.child('name'), metadata.name, message));
  if (isDictionary(metadata.labels))
    errors.push(...validateLabels(metadata.labels as Record<string, string>, at.child('labels')));
  return errors;
}
