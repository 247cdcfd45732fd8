import { type Environment, Optional } from '@marcbachmann/cel-js';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { celEqual } from './equality.ts';

/** What the library lacks of optional values. */
export function registerOptionals(environment: Environment): void {
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  add('OptionalNamespace.ofNonZeroValue(dyn): optional<dyn>', (_: unknown, value: unknown) =>
    isZero(value) ? Optional.none() : Optional.of(value),
  );
  const unwrap = (list: readonly Optional[]) => list.flatMap((item) => (item.hasValue() ? [item.value()] : []));
  add('OptionalNamespace.unwrap(list<dyn>): list<dyn>', (_: unknown, list: readonly Optional[]) => unwrap(list));
  add('list<dyn>.unwrapOpt(): list<dyn>', unwrap);
  environment.registerOperator('optional<dyn> == optional<dyn>', celEqual as never);
}

function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === 0n) return true;
  if (value instanceof UnsignedInt) return value.value === 0n;
  if (value instanceof Duration) return value.seconds === 0n && value.nanos === 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  return typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
    ? Object.keys(value).length === 0
    : false;
}
