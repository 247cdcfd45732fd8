import { duplicate, type FieldError, type FieldPath, invalidValue, required, tooLong } from '../apimachinery/field.ts';
import type { Condition } from '../apimachinery/meta.ts';
import { isQualifiedName } from '../apimachinery/names.ts';
import { invalidFor, nonNegative, requiredOneOf } from './field-checks.ts';

const reasonPattern = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;

/** A list of `metav1.Condition`, one per type. */
export function validateConditions(path: FieldPath, conditions: readonly Condition[] | undefined): FieldError[] {
  const types = new Set<string>();
  return (conditions ?? []).flatMap((condition, index) => {
    const at = path.index(index);
    const { type = '', reason = '', message = '' } = condition;
    const errors = types.has(type) ? [duplicate(at.child('type'), type)] : [];
    types.add(type);
    errors.push(
      ...invalidFor(at.child('type'), type, isQualifiedName(type)),
      ...requiredOneOf(at.child('status'), condition.status, ['False', 'True', 'Unknown']),
      ...nonNegative(at.child('observedGeneration'), condition.observedGeneration),
    );
    if (!condition.lastTransitionTime) errors.push(required(at.child('lastTransitionTime'), 'must be set'));
    if (reason === '') errors.push(required(at.child('reason'), 'must be set'));
    else if (!reasonPattern.test(reason))
      errors.push(
        invalidValue(
          at.child('reason'),
          reason,
          "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
        ),
      );
    if (reason.length > 1024) errors.push(tooLong(at.child('reason'), 1024));
    if (message.length > 32 * 1024) errors.push(tooLong(at.child('message'), 32 * 1024));
    return errors;
  });
}
