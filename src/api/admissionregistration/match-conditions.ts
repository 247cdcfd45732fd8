import { duplicate, type FieldError, type FieldPath, required, tooMany } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';
import type { MatchCondition } from '../types/admissionregistration.v1.gen.ts';

const maxConditions = 64;

/** The expressions themselves are compiled where they are evaluated. */
export function validateMatchConditions(
  path: FieldPath,
  conditions: readonly MatchCondition[] | undefined,
): FieldError[] {
  const given = conditions ?? [];
  const errors = given.length > maxConditions ? [tooMany(path, given.length, maxConditions)] : [];
  const names = new Set<string>();
  given.forEach(({ name, expression }, index) => {
    const at = path.index(index);
    if (!expression?.trim()) errors.push(required(at.child('expression')));
    if (!name) errors.push(required(at.child('name')));
    else {
      errors.push(...invalidFor(at.child('name'), name, isQualifiedName(name)));
      if (names.has(name)) errors.push(duplicate(at.child('name'), name));
      names.add(name);
    }
  });
  return errors;
}
