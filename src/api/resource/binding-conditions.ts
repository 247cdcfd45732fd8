import { duplicate, type FieldError, type FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { validateLabelName } from '../../apimachinery/labels.ts';
import { repeatedIndexes } from '../field-checks.ts';
import { validateList } from './collections.ts';

const maxConditions = 4;

export interface BindingConditions {
  readonly bindingConditions?: readonly string[];
  readonly bindingFailureConditions?: readonly string[];
}

/** What must come true of a device before its pods are bound, and what tells that it will not: both, or neither. */
export function validateBindingConditions(path: FieldPath, given: BindingConditions): FieldError[] {
  const { bindingConditions: good = [], bindingFailureConditions: bad = [] } = given;
  const goodPath = path.child('bindingConditions');
  const badPath = path.child('bindingFailureConditions');
  const name = (at: FieldPath, condition: string) => validateLabelName(condition, at);
  const errors = [
    ...validateList(goodPath, good, maxConditions, name),
    ...validateList(badPath, bad, maxConditions, name),
    ...[...repeatedIndexes(good)].map((index) => duplicate(goodPath.index(index), good[index])),
  ];
  const repeated = repeatedIndexes(bad);
  bad.forEach((condition, index) => {
    const at = badPath.index(index);
    if (repeated.has(index)) errors.push(duplicate(at, condition));
    if (good.includes(condition))
      errors.push(invalidValue(at, condition, 'bindingFailureConditions must not overlap with bindingConditions'));
  });
  if (good.length === 0 && bad.length > 0)
    errors.push(
      invalidValue(goodPath, given.bindingConditions, 'bindingConditions are required to use bindingFailureConditions'),
    );
  if (bad.length === 0 && good.length > 0)
    errors.push(
      invalidValue(
        badPath,
        given.bindingFailureConditions,
        'bindingFailureConditions are required to use bindingConditions',
      ),
    );
  return errors;
}
