import { compileRegularExpression, type RegularExpression } from '../../../api/apiextensions/regular-expression.ts';
import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { type FieldError, invalidValue, tooLong, tooMany, typeInvalid } from '../../../apimachinery/field.ts';
import { formatCheck } from './formats.ts';

/** Adds what is wrong with a value of whatever type. */
export type Check = (value: unknown, at: string, errors: FieldError[]) => void;

/** The checks of scalars that the keywords of a schema ask for, in the order in which Kubernetes makes them. */
export function constraintChecks(props: JSONSchemaProps): readonly Check[] {
  const checks: Check[] = [];
  const { pattern, format } = props;
  if (props.maxLength !== undefined || props.minLength !== undefined || pattern)
    checks.push(textCheck(props.minLength, props.maxLength, pattern));
  if (format) checks.push(...formatChecks(props, format));
  if (props.maximum !== undefined || props.minimum !== undefined || props.multipleOf !== undefined)
    checks.push(numberCheck(props));
  return checks;
}

const path = (at: string): string => at || '<nil>';

/** What is wrong first: a text of the wrong length is not matched. */
function textCheck(min: number | undefined, max: number | undefined, pattern: string | undefined): Check {
  const matches = pattern ? matcher(pattern) : () => true;
  return (value, at, errors) => {
    if (typeof value !== 'string') return;
    // Characters, not UTF-16 units.
    const length = /[\ud800-\udfff]/.test(value) ? [...value].length : value.length;
    if (max !== undefined && length > max) errors.push(tooLong(path(at), max));
    else if (min !== undefined && length < min)
      errors.push(invalidValue(path(at), value, `${at} in body should be at least ${min} chars long`));
    else if (!matches(value)) errors.push(invalidValue(path(at), value, `${at} in body should match '${pattern}'`));
  };
}

function matcher(pattern: string): (value: string) => boolean {
  let expression: RegularExpression | undefined;
  return (value) => {
    try {
      expression ??= compileRegularExpression(pattern);
      return expression.test(value);
    } catch {
      // What cannot be decided, in time or at all, is not let in.
      return false;
    }
  };
}

const integerRanges: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

function formatChecks(props: JSONSchemaProps, format: string): Check[] {
  const range = integerRanges[format];
  if (range && props.type !== 'string')
    return [
      (value, at, errors) => {
        if (typeof value === 'number' && (value < range[0] || value > range[1]))
          errors.push(
            invalidValue(path(at), value, `Checked value must be of type ${props.type} with format ${format}`),
          );
      },
    ];
  const check = formatCheck(format);
  if (!check) return [];
  return [
    (value, at, errors) => {
      if (typeof value !== 'string' || check(value)) return;
      errors.push(typeInvalid(path(at), value, `${at} in body must be of type ${format}: ${JSON.stringify(value)}`));
    },
  ];
}

function numberCheck({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: JSONSchemaProps): Check {
  return (value, at, errors) => {
    if (typeof value !== 'number') return;
    const fail = (detail: string) => errors.push(invalidValue(path(at), value, `${at} in body should be ${detail}`));
    if (multipleOf !== undefined && multipleOf > 0 && !isMultiple(value, multipleOf))
      fail(`a multiple of ${multipleOf}`);
    if (maximum !== undefined) {
      if (exclusiveMaximum && value >= maximum) fail(`less than ${maximum}`);
      else if (!exclusiveMaximum && value > maximum) fail(`less than or equal to ${maximum}`);
    }
    if (minimum !== undefined) {
      if (exclusiveMinimum && value <= minimum) fail(`greater than ${minimum}`);
      else if (!exclusiveMinimum && value < minimum) fail(`greater than or equal to ${minimum}`);
    }
  };
}

function isMultiple(value: number, of: number): boolean {
  const ratio = value / of;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 * Math.max(1, Math.abs(ratio));
}

export function checkItemCount(
  items: readonly unknown[],
  props: JSONSchemaProps,
  at: string,
  errors: FieldError[],
): void {
  const { minItems: min, maxItems: max } = props;
  if (min !== undefined && items.length < min)
    errors.push(invalidValue(path(at), items.length, `${at} in body should have at least ${min} items`));
  if (max !== undefined && items.length > max) errors.push(tooMany(path(at), items.length, max));
}

/** Whether an object has a fitting number of members. */
export function checkMemberCount(object: object, props: JSONSchemaProps, at: string, errors: FieldError[]): boolean {
  const { minProperties: min, maxProperties: max } = props;
  const count = min === undefined && max === undefined ? 0 : Object.keys(object).length;
  if (min !== undefined && count < min)
    errors.push(invalidValue(path(at), count, `${at} in body should have at least ${min} properties`));
  else if (max !== undefined && count > max) errors.push(tooMany(path(at), count, max));
  else return true;
  return false;
}
