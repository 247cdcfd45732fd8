import { type FieldError, type FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';

/** Annotation keys are qualified names whatever their case. */
export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
): FieldError[] {
  return Object.keys(annotations ?? {}).flatMap((key) =>
    isQualifiedName(key.toLowerCase()).map((message) => invalidValue(path, key, message)),
  );
}
