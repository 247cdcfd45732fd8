import { type FieldError, type FieldPath, invalidValue } from '../apimachinery/field.ts';
import { isPercent } from '../apimachinery/names.ts';
import { invalidFor, nonNegative } from './field-checks.ts';

/** A count, or a share of one such as `25%`. */
export type IntOrPercent = number | string;

export function validateIntOrPercent(path: FieldPath, value: IntOrPercent | undefined): FieldError[] {
  if (typeof value === 'string') return invalidFor(path, value, isPercent(value));
  return nonNegative(path, value);
}

export function validateAtMost100Percent(path: FieldPath, value: IntOrPercent | undefined): FieldError[] {
  return (percentOf(value) ?? 0) > 100 ? [invalidValue(path, value, 'must not be greater than 100%')] : [];
}

/** The number in it, whether count or percent; 0 for anything else. */
export function intOrPercentNumber(value: IntOrPercent | undefined): number {
  if (typeof value === 'string' && /^[+-]?\d+$/.test(value)) return Number(value);
  return percentOf(value) ?? (typeof value === 'number' ? value : 0);
}

function percentOf(value: IntOrPercent | undefined): number | undefined {
  return typeof value === 'string' && isPercent(value).length === 0 ? Number(value.slice(0, -1)) : undefined;
}
