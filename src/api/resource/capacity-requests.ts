import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  required,
  tooMany,
} from '../../apimachinery/field.ts';
import { parseQuantity, type Quantity } from '../../apimachinery/quantity.ts';
import { atLeastZero } from '../field-checks.ts';
import type { CapacityRequestPolicyRange, DeviceCapacity } from '../types/resource.v1.gen.ts';

const maxValues = 10;
const largestText = '9223372036854775807';
const largest = parseQuantity(largestText);

/** How much of a shared capacity may be asked for: some values, or a range. `path` is the policy's. */
export function validateRequestPolicy(path: FieldPath, { value, requestPolicy }: DeviceCapacity): FieldError[] {
  if (!requestPolicy) return [];
  const { validValues = [], validRange } = requestPolicy;
  if (validValues.length > 0 && validRange)
    return [
      forbiddenField(
        path,
        'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
      ),
    ];
  const kind = validValues.length > 0 ? 'validValues' : 'validRange';
  if (validValues.length === 0 && !validRange) return [];
  if (requestPolicy.default === undefined) return [required(path.child('default'), `required when ${kind} is defined`)];
  const capacity = parseQuantity(value);
  const preset = parseQuantity(requestPolicy.default);
  return validRange
    ? validateRange(path.child(kind), validRange, preset, capacity)
    : validateValues(path.child(kind), validValues.map(parseQuantity), preset, capacity);
}

function validateValues(
  path: FieldPath,
  values: readonly Quantity[],
  preset: Quantity,
  capacity: Quantity,
): FieldError[] {
  const errors: FieldError[] = [];
  values.forEach((value, index) => {
    const before = values[index - 1];
    if (before && before.cmp(value) > 0)
      errors.push(invalidValue(path.index(index), String(value), 'values must be sorted in ascending order'));
  });
  if (values.length > maxValues) errors.push(tooMany(path, values.length, maxValues));
  else {
    values.forEach((value, index) => {
      if (value.cmp(capacity) > 0)
        errors.push(
          invalidValue(path.index(index), String(value), `option is larger than capacity value: ${capacity}`),
        );
    });
    const seen = new Set<string>();
    values.forEach((value, index) => {
      const key = String(value.value());
      if (seen.has(key)) errors.push(duplicate(path.index(index), key));
      seen.add(key);
    });
  }
  if (!values.some((value) => value.cmp(preset) === 0))
    errors.push(invalidValue(path, String(preset), 'default value is not valid according to the requestPolicy'));
  return errors;
}

function validateRange(
  path: FieldPath,
  range: CapacityRequestPolicyRange,
  preset: Quantity,
  capacity: Quantity,
): FieldError[] {
  if (range.min === undefined) return [required(path.child('min'), 'required when validRange is defined')];
  const min = parseQuantity(range.min);
  const max = range.max === undefined ? undefined : parseQuantity(range.max);
  const errors: FieldError[] = [];
  const refuse = (broken: boolean, field: string, value: Quantity, detail: string) => {
    if (broken) errors.push(invalidValue(path.child(field), String(value), detail));
  };
  refuse(min.cmp(capacity) > 0, 'min', min, `min is larger than capacity value: ${capacity}`);
  refuse(preset.cmp(min) < 0, 'default', preset, `default is less than min: ${min}`);
  if (max) {
    refuse(min.cmp(max) > 0, 'max', min, `min is larger than max: ${max}`);
    refuse(max.cmp(capacity) > 0, 'max', max, `max is larger than capacity value: ${capacity}`);
    refuse(preset.cmp(max) > 0, 'default', preset, `default is more than max: ${max}`);
  }
  if (range.step === undefined) return errors;
  const step = parseQuantity(range.step);
  refuse(step.sign() <= 0, 'step', step, 'must be greater than zero');
  if (step.sign() <= 0) return errors;
  const first = min.add(step);
  refuse(first.cmp(capacity) > 0, 'step', step, `one step ${first} is larger than capacity value: ${capacity}`);
  // Steps are counted in 64 bits.
  const unsafe = { default: preset, min, ...(max ? { max } : {}), step };
  const before = errors.length;
  for (const [field, value] of Object.entries(unsafe))
    if (value.sign() < 0) refuse(true, field, value, atLeastZero);
    else refuse(value.cmp(largest) > 0, field, value, `must not be larger than ${largestText}`);
  if (errors.length > before) return errors;
  for (const value of max ? [preset, max] : [preset])
    refuse(
      (value.value() - min.value()) % step.value() !== 0,
      'step',
      value,
      `value is not a multiple of a given step (${step}) from (${min})`,
    );
  return errors;
}
