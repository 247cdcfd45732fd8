import type { Environment } from '@marcbachmann/cel-js';
import { Quantity } from '../../../apimachinery/quantity.ts';

/** `quantity('1Gi')` and what can be asked of one. */
export function registerQuantities(environment: Environment): void {
  const type = 'kubernetes.Quantity';
  environment.registerType(type, { ctor: Quantity as unknown as new () => Quantity });
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  add(`quantity(string): ${type}`, (text: string) => Quantity.parse(text));
  add('isQuantity(string): bool', (text: string) => parses(text));
  add(`${type}.sign(): int`, (a: Quantity) => BigInt(a.sign()));
  add(`${type}.isInteger(): bool`, (a: Quantity) => isWhole(a));
  add(`${type}.asInteger(): int`, (a: Quantity) => {
    if (!isWhole(a)) throw new Error('cannot convert value to integer');
    return BigInt(a.value());
  });
  add(`${type}.asApproximateFloat(): double`, (a: Quantity) => a.milliValue() / 1000);
  add(`${type}.isGreaterThan(${type}): bool`, (a: Quantity, b: Quantity) => a.cmp(b) > 0);
  add(`${type}.isLessThan(${type}): bool`, (a: Quantity, b: Quantity) => a.cmp(b) < 0);
  add(`${type}.compareTo(${type}): int`, (a: Quantity, b: Quantity) => BigInt(Math.sign(a.cmp(b))));
  add(`${type}.add(${type}): ${type}`, (a: Quantity, b: Quantity) => a.add(b));
  add(`${type}.add(int): ${type}`, (a: Quantity, b: bigint) => a.add(Quantity.parse(String(b))));
  add(`${type}.sub(${type}): ${type}`, (a: Quantity, b: Quantity) => a.sub(b));
  add(`${type}.sub(int): ${type}`, (a: Quantity, b: bigint) => a.sub(Quantity.parse(String(b))));
  environment.registerOperator(`${type} == ${type}`, ((a: Quantity, b: Quantity) => a.cmp(b) === 0) as never);
}

function parses(text: string): boolean {
  try {
    Quantity.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isWhole(quantity: Quantity): boolean {
  return Number.isSafeInteger(quantity.value()) && Quantity.parse(String(quantity.value())).cmp(quantity) === 0;
}
