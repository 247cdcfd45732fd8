import { type FieldError, FieldPath, invalidValue, notSupported } from './field.ts';
import { isLabelValue, isQualifiedName } from './names.ts';
import { badRequest } from './status-error.ts';

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>> | undefined;

/** Throws StatusError 400 with the field errors of an unusable requirement. */
export function labelRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const errors: FieldError[] = [];
  const keyErrors = isQualifiedName(key);
  if (keyErrors.length > 0) errors.push(invalidValue(FieldPath.of('key'), key, keyErrors.join('; ')));
  const path = FieldPath.of('values');
  const wrong = (message: string) => errors.push(invalidValue(path, values, message));
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) wrong("for 'in', 'notin' operators, values set can't be empty");
      break;
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1) wrong('exact-match compatibility requires one single value');
      break;
    case 'exists':
    case '!':
      if (values.length > 0) wrong('values set must be empty for exists and does not exist');
      break;
    case 'gt':
    case 'lt':
      if (values.length !== 1) wrong("for 'Gt', 'Lt' operators, exactly one value is required");
      values.forEach((value, index) => {
        if (toInteger(value) === undefined)
          errors.push(invalidValue(path.index(index), value, "for 'Gt', 'Lt' operators, the value must be an integer"));
      });
      break;
    default:
      errors.push(
        notSupported(FieldPath.of('operator'), operator, ['in', 'notin', '=', '==', '!=', 'gt', 'lt', 'exists', '!']),
      );
  }
  values.forEach((value, index) => {
    const valueErrors = isLabelValue(value);
    if (valueErrors.length > 0) errors.push(invalidValue(path.index(index).key(key), value, valueErrors.join('; ')));
  });
  if (errors.length > 0) {
    const texts = [...new Set(errors.map(String))];
    throw badRequest(texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`);
  }
  return { key, operator, values };
}

export function satisfies({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case '==':
      return value === values[0];
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
      return value !== values[0];
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt': {
      const number = value === undefined ? undefined : toInteger(value);
      const limit = toInteger(values[0] ?? '');
      if (number === undefined || limit === undefined) return false;
      return operator === 'gt' ? number > limit : number < limit;
    }
  }
}

function toInteger(text: string): bigint | undefined {
  return /^[-+]?\d{1,19}$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
}

export function showRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}
