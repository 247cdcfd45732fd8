import { compileRegularExpression, type RegularExpression } from '../../../api/apiextensions/regular-expression.ts';
import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { type FieldError, invalidValue, tooLong, tooMany, typeInvalid } from '../../../apimachinery/field.ts';
import { formatCheck } from './formats.ts';

/** Adds what is wrong with a value of the right type. */
export type Check = (value: unknown, at: string, errors: FieldError[]) => void;

/** One check for each keyword that restricts scalars, lists and objects as a whole. */
export function constraintChecks(props: JSONSchemaProps): readonly Check[] {
  const checks: Check[] = [];
  const { pattern, format } = props;
  if (props.maxLength !== undefined || props.minLength !== undefined)
    checks.push(lengthCheck(props.minLength, props.maxLength));
  if (pattern) checks.push(patternCheck(pattern));
  if (format) checks.push(...formatChecks(props, format));
  if (props.maximum !== undefined || props.minimum !== undefined || props.multipleOf !== undefined)
    checks.push(numberCheck(props));
  if (props.maxItems !== undefined || props.minItems !== undefined)
    checks.push(itemsCheck(props.minItems, props.maxItems));
  if (props.maxProperties !== undefined || props.minProperties !== undefined)
    checks.push(propertiesCheck(props.minProperties, props.maxProperties));
  return checks;
}

const path = (at: string): string => at || '<nil>';

function lengthCheck(min: number | undefined, max: number | undefined): Check {
  return (value, at, errors) => {
    if (typeof value !== 'string') return;
    // Characters, not UTF-16 units.
    const length = /[\ud800-\udfff]/.test(value) ? [...value].length : value.length;
    if (max !== undefined && length > max) errors.push(tooLong(path(at), max));
    if (min !== undefined && length < min)
      errors.push(invalidValue(path(at), value, `${at} in body should be at least ${min} chars long`));
  };
}

function patternCheck(pattern: string): Check {
  let expression: RegularExpression | undefined;
  const matches = (value: string) => {
    try {
      expression ??= compileRegularExpression(pattern);
      return expression.test(value);
    } catch {
      // What cannot be decided, in time or at all, is not let in.
      return false;
    }
  };
  return (value, at, errors) => {
    if (typeof value === 'string' && !matches(value))
      errors.push(invalidValue(path(at), value, `${at} in body should match '${pattern}'`));
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

function itemsCheck(min: number | undefined, max: number | undefined): Check {
  return (value, at, errors) => {
    if (!Array.isArray(value)) return;
    if (max !== undefined && value.length > max) errors.push(tooMany(path(at), value.length, max));
    if (min !== undefined && value.length < min)
      errors.push(invalidValue(path(at), value.length, `${at} in body should have at least ${min} items`));
  };
}

function propertiesCheck(min: number | undefined, max: number | undefined): Check {
  return (value, at, errors) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const count = Object.keys(value).length;
    if (max !== undefined && count > max) errors.push(tooMany(path(at), count, max));
    if (min !== undefined && count < min)
      errors.push(invalidValue(path(at), count, `${at} in body should have at least ${min} properties`));
  };
}
