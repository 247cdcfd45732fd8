import { type FieldError, type FieldPath, invalidValue, required, tooLong } from '../../apimachinery/field.ts';
import type { DeviceClassConfiguration, DeviceSelector } from '../types/resource.v1.gen.ts';
import { validateList } from './collections.ts';
import { validateDriverName } from './device-names.ts';

export const maxSelectors = 32;
export const maxConfigs = 32;
const maxExpressionBytes = 10 * 1024;
const maxParametersBytes = 10 * 1024;

/** The CEL expressions themselves are compiled by the API server, which has the engine; `stored` ones are not looked at again. */
export function validateSelectors(
  path: FieldPath,
  selectors: readonly DeviceSelector[] | undefined,
  stored = false,
): FieldError[] {
  return validateList(path, selectors, maxSelectors, (at, { cel }) => {
    if (!cel) return [required(at.child('cel'))];
    if (stored) return [];
    const expression = at.child('cel', 'expression');
    if (!cel.expression?.trim()) return [required(expression)];
    return Buffer.byteLength(cel.expression) > maxExpressionBytes ? [tooLong(expression, maxExpressionBytes)] : [];
  });
}

/** Parameters that are `stored` may be longer than new ones. */
export function validateOpaque(path: FieldPath, { opaque }: DeviceClassConfiguration, stored = false): FieldError[] {
  const at = path.child('opaque');
  if (!opaque) return [required(at)];
  return [
    ...validateDriverName(at.child('driver'), opaque.driver),
    ...validateRaw(at.child('parameters'), opaque.parameters, stored ? Number.POSITIVE_INFINITY : maxParametersBytes),
  ];
}

export function validateRaw(path: FieldPath, value: unknown, maxBytes: number): FieldError[] {
  if (value === undefined || value === null) return [required(path)];
  if (Buffer.byteLength(JSON.stringify(value)) > maxBytes) return [tooLong(path, maxBytes)];
  return typeof value === 'object' && !Array.isArray(value)
    ? []
    : [invalidValue(path, '<value omitted>', 'must be a valid JSON object')];
}
