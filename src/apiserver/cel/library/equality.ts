import { Optional } from '@marcbachmann/cel-js';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';

/** Equality and order of CEL values at run time, whatever their types. */

export function celEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof UnsignedInt) return celEqual(a.value, b);
  if (b instanceof UnsignedInt) return celEqual(a, b.value);
  // biome-ignore lint/suspicious/noDoubleEquals: numbers of different types are equal by value
  if (typeof a === 'bigint' || typeof b === 'bigint') return (typeof a === 'number' || typeof b === 'number') && a == b;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => celEqual(item, b[index]));
  if (a instanceof Optional)
    return b instanceof Optional && a.hasValue() === b.hasValue() && (!a.hasValue() || celEqual(a.value(), b.value()));
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  const [x, y] = [entriesOf(a), entriesOf(b)];
  if (x && y) return x.size === y.size && [...x].every(([key, value]) => y.has(key) && celEqual(value, y.get(key)));
  return a.constructor === b.constructor && String(a) === String(b);
}

function entriesOf(value: object): Map<unknown, unknown> | undefined {
  if (value instanceof Map) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? new Map(Object.entries(value)) : undefined;
}

/** Throws for values that have no order. */
export function compareCel(a: unknown, b: unknown): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  const comparable =
    (typeof a === typeof b && ['string', 'bigint', 'number', 'boolean'].includes(typeof a)) ||
    (isNumber(a) && isNumber(b)) ||
    (a instanceof Date && b instanceof Date) ||
    (a instanceof Duration && b instanceof Duration);
  if (!comparable) throw new Error('no such overload');
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';
