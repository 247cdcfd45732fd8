import { type FieldError, type FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1035Label } from '../../apimachinery/names.ts';
import type { CustomResourceDefinitionNames } from '../types/apiextensions.v1.gen.ts';

/** Of the spec: plural, singular, kind and listKind must be there. */
export function validateSpecNames(path: FieldPath, names: Partial<CustomResourceDefinitionNames>): FieldError[] {
  return [
    ...(['plural', 'singular', 'kind', 'listKind'] as const).flatMap((field) =>
      names[field] ? [] : [required(path.child(field))],
    ),
    ...validateNames(path, names),
  ];
}

/** Form only, for names that may be absent (`status.acceptedNames`). */
export function validateNames(path: FieldPath, names: Partial<CustomResourceDefinitionNames>): FieldError[] {
  const { kind, listKind, shortNames = [], categories = [] } = names;
  const errors: FieldError[] = [];
  for (const field of ['plural', 'singular'] as const) errors.push(...label(path.child(field), names[field]));
  for (const field of ['kind', 'listKind'] as const) {
    const value = names[field];
    const messages = value ? isDns1035Label(value.toLowerCase()) : [];
    if (messages.length > 0)
      errors.push(
        invalidValue(
          path.child(field),
          value,
          `may have mixed case, but should otherwise match: ${messages.join(',')}`,
        ),
      );
  }
  shortNames.forEach((name, index) => {
    errors.push(...label(path.child('shortNames').index(index), name, true));
  });
  if (kind && kind === listKind)
    errors.push(invalidValue(path.child('listKind'), listKind, 'kind and listKind may not be the same'));
  categories.forEach((category, index) => {
    errors.push(...label(path.child('categories').index(index), category, true));
  });
  return errors;
}

function label(path: FieldPath, value: string | undefined, always = false): FieldError[] {
  if (!value && !always) return [];
  const messages = isDns1035Label(value ?? '');
  return messages.length > 0 ? [invalidValue(path, value, messages.join(','))] : [];
}
