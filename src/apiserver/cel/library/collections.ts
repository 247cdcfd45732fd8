import { type Environment, Optional } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { durationOfNanos, nanosOf } from './durations.ts';
import { celEqual, compareCel } from './equality.ts';

class SetsNamespace {}
class ListsNamespace {}

const MAX_RANGE = 100_000n;

/** Kubernetes' and the extensions' functions on lists, and `sets`. */
export function registerCollections(environment: Environment): void {
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  add('list<dyn>.isSorted(): bool', (list: unknown[]) =>
    list.every((item, index) => index === 0 || compareCel(list[index - 1], item) <= 0),
  );
  add('list<dyn>.sum(): dyn', sum);
  add('list<dyn>.min(): dyn', (list: unknown[]) => extreme(list, 'min', -1));
  add('list<dyn>.max(): dyn', (list: unknown[]) => extreme(list, 'max', 1));
  add('list<dyn>.indexOf(dyn): int', (list: unknown[], item: unknown) =>
    BigInt(list.findIndex((other) => celEqual(other, item))),
  );
  add('list<dyn>.lastIndexOf(dyn): int', (list: unknown[], item: unknown) =>
    BigInt(list.findLastIndex((other) => celEqual(other, item))),
  );
  add('list<T>.slice(int, int): list<T>', (list: unknown[], from: bigint, to: bigint) => {
    const why =
      from < 0n || to < 0n
        ? 'negative indexes not supported'
        : from > to
          ? 'start index must be less than or equal to end index'
          : to > BigInt(list.length)
            ? `list is length ${list.length}`
            : undefined;
    if (why) throw new Error(`cannot slice(${from}, ${to}), ${why}`);
    return list.slice(Number(from), Number(to));
  });
  add('list<dyn>.flatten(): list<dyn>', (list: unknown[]) => list.flat());
  add('list<dyn>.flatten(int): list<dyn>', (list: unknown[], depth: bigint) => {
    if (depth < 0n) throw new Error('level must be non-negative');
    return list.flat(Number(depth) as 1);
  });
  add('list<T>.sort(): list<T>', (list: unknown[]) => [...list].sort(compareCel));
  add('list<T>.reverse(): list<T>', (list: unknown[]) => [...list].reverse());
  add('list<T>.distinct(): list<T>', distinct as never);
  add('list<T>.first(): optional<T>', (list: unknown[]) => (list.length ? Optional.of(list[0]) : Optional.none()));
  add('list<T>.last(): optional<T>', (list: unknown[]) => (list.length ? Optional.of(list.at(-1)) : Optional.none()));
  add('list<dyn>.includes(dyn): bool', (list: unknown[], item: unknown) => list.some((other) => celEqual(other, item)));

  for (const [operator, holds] of Object.entries(orders))
    environment.registerOperator(`bytes ${operator} bytes`, ((a: Uint8Array, b: Uint8Array) =>
      holds(Buffer.compare(a, b))) as never);

  environment.registerType('ListsNamespace', ListsNamespace as never);
  environment.registerConstant('lists', 'ListsNamespace', new ListsNamespace() as never);
  add('ListsNamespace.range(int): list<int>', (_: unknown, end: bigint) => {
    if (end > MAX_RANGE) throw new Error(`lists.range: ${end} is too large`);
    return Array.from({ length: Math.max(0, Number(end)) }, (__, index) => BigInt(index));
  });

  environment.registerType('SetsNamespace', SetsNamespace as never);
  environment.registerConstant('sets', 'SetsNamespace', new SetsNamespace() as never);
  const inside = (list: readonly unknown[], item: unknown) => list.some((other) => celEqual(other, item));
  const contains = (list: readonly unknown[], sub: readonly unknown[]) => {
    bounded(list, sub);
    return sub.every((item) => inside(list, item));
  };
  add('SetsNamespace.contains(list, list): bool', (_: unknown, list: unknown[], sub: unknown[]) => contains(list, sub));
  add(
    'SetsNamespace.equivalent(list, list): bool',
    (_: unknown, a: unknown[], b: unknown[]) => contains(a, b) && contains(b, a),
  );
  add('SetsNamespace.intersects(list, list): bool', (_: unknown, a: unknown[], b: unknown[]) => {
    bounded(a, b);
    return a.some((item) => inside(b, item));
  });
}

const orders: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/** What takes time in the product of two lengths is refused before it holds up the process. */
function bounded(a: readonly unknown[], b: readonly unknown[]): void {
  if (a.length * b.length > 1_000_000) throw new Error('operation cancelled: actual cost limit exceeded');
}

function distinct(list: readonly unknown[]): unknown[] {
  const scalars = new Set<unknown>();
  const others: unknown[] = [];
  return list.filter((item) => {
    if (typeof item !== 'object' || item === null) {
      if (scalars.has(item)) return false;
      scalars.add(item);
      return true;
    }
    bounded(others, list);
    if (others.some((other) => celEqual(other, item))) return false;
    others.push(item);
    return true;
  });
}

function sum(list: readonly unknown[]): unknown {
  let total: unknown;
  for (const item of list) {
    if (total === undefined) total = item;
    else if (typeof total === 'bigint' && typeof item === 'bigint') total += item;
    else if (typeof total === 'number' && typeof item === 'number') total += item;
    else if (total instanceof Duration && item instanceof Duration)
      total = durationOfNanos(nanosOf(total) + nanosOf(item));
    else throw new Error('no such overload');
  }
  return total ?? 0n;
}

function extreme(list: readonly unknown[], name: string, sign: number): unknown {
  if (list.length === 0) throw new Error(`${name} called on empty list`);
  return list.reduce((best, item) => (Math.sign(compareCel(item, best)) === sign ? item : best));
}
