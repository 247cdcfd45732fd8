import type { Meter } from './meter.ts';
import type { SyntaxNode } from './syntax.ts';

type Handler = (...args: unknown[]) => unknown;

/** A node that the library has checked: how it computes its value of its operands' or arguments' values. */
interface CheckedNode extends SyntaxNode {
  handle?: Handler;
}

/** Nodes that read what they are given count for what they read, as in cel-go: a step for ten bytes, or for an item. */
export function chargeForReading(node: SyntaxNode, meter: Meter): void {
  const checked = node as CheckedNode;
  const { handle } = checked;
  if (!handle) return;
  // The node itself counts for one.
  const charge = (steps: number) => {
    if (steps > 1) meter.slice -= Math.ceil(steps) - 1;
  };
  if (node.op in operators) {
    const cost = operators[node.op]!;
    checked.handle = (left, right, ast, evaluator) => {
      charge(cost(left, right));
      return handle(left, right, ast, evaluator);
    };
  } else if (node.op === 'call' || node.op === 'rcall') {
    const cost = functions[(node.args as [string])[0]];
    if (!cost) return;
    checked.handle = (args, second, third) => {
      const call = (values: readonly unknown[]) => {
        charge(cost(values));
        return handle(values, second, third);
      };
      return args instanceof Promise ? args.then(call) : call(args as readonly unknown[]);
    };
  }
}

const BYTES = 0.1;

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length * BYTES;
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  return value instanceof Uint8Array ? value.length * BYTES : 1;
}

/** The items, keys and texts in a value and below. */
function weightOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((total: number, item) => total + weightOf(item), 1);
  if (value instanceof Map) {
    let total = 1;
    for (const item of value.values()) total += 1 + weightOf(item);
    return total;
  }
  return sizeOf(value);
}

function comparison(a: unknown, b: unknown): number {
  if (typeof a !== 'object' || typeof b !== 'object') return Math.min(sizeOf(a), sizeOf(b));
  return sizeOf(a) === sizeOf(b) ? weightOf(a) : 1;
}

const shorter = (a: unknown, b: unknown) => Math.min(sizeOf(a), sizeOf(b));

const operators: Readonly<Record<string, (a: unknown, b: unknown) => number>> = {
  '==': comparison,
  '!=': comparison,
  '<': shorter,
  '<=': shorter,
  '>': shorter,
  '>=': shorter,
  in: (item, list) =>
    Array.isArray(list) ? list.length * Math.max(1, typeof item === 'object' ? weightOf(item) : 1) : 1,
  '+': (a, b) => (typeof a === 'bigint' || typeof a === 'number' ? 1 : sizeOf(a) + sizeOf(b)),
};

const first = ([value]: readonly unknown[]) => sizeOf(value);
const all = (values: readonly unknown[]) => values.reduce((total: number, value) => total + weightOf(value), 0);
const product = ([a, b]: readonly unknown[]) => sizeOf(a) * Math.max(1, sizeOf(b));
const lists = ([, a, b]: readonly unknown[]) => sizeOf(a) * Math.max(1, sizeOf(b));
const sorting = ([list]: readonly unknown[]) => 2 * weightOf(list) * Math.log2(sizeOf(list) + 2);

/** By name of function or method, of the receiver and the arguments. */
const functions: Readonly<Record<string, (values: readonly unknown[]) => number>> = Object.assign(Object.create(null), {
  contains: (values: readonly unknown[]) => (values.length === 2 ? product(values) : lists(values)),
  equivalent: (values: readonly unknown[]) => 2 * lists(values),
  intersects: lists,
  matches: product,
  find: product,
  findAll: product,
  size: ([value]: readonly unknown[]) => (typeof value === 'string' ? sizeOf(value) : 1),
  startsWith: ([, prefix]: readonly unknown[]) => sizeOf(prefix),
  endsWith: ([, suffix]: readonly unknown[]) => sizeOf(suffix),
  charAt: first,
  lowerAscii: first,
  upperAscii: first,
  trim: first,
  substring: first,
  split: first,
  replace: (values: readonly unknown[]) => 2 * first(values),
  reverse: first,
  indexOf: (values: readonly unknown[]) => (typeof values[0] === 'string' ? product(values) : all(values)),
  lastIndexOf: (values: readonly unknown[]) => (typeof values[0] === 'string' ? product(values) : all(values)),
  join: all,
  format: ([, values]: readonly unknown[]) => weightOf(values),
  quote: all,
  isSorted: all,
  sum: first,
  min: all,
  max: all,
  sort: sorting,
  distinct: ([list]: readonly unknown[]) => sizeOf(list) * Math.sqrt(sizeOf(list)) + weightOf(list),
  flatten: all,
  slice: first,
  includes: all,
  unwrap: all,
  unwrapOpt: all,
  range: ([, end]: readonly unknown[]) => (typeof end === 'bigint' ? Math.max(0, Number(end)) : 1),
  string: first,
  bytes: first,
  int: first,
  double: first,
  url: first,
  isURL: first,
  quantity: first,
  isQuantity: first,
  validate: ([, text]: readonly unknown[]) => sizeOf(text),
  optionalList: all,
  optionalMap: all,
});
