import type { StaticType } from './schema-types.ts';

/** The factors of cel-go: a step reads ten bytes, and a regular expression works over four of its own at once. */
const PER_BYTE = 0.1;
const PER_PATTERN_BYTE = 0.25;

/** What a function takes at most besides its operands; `types` are the receiver's, if any, and the arguments'. */
export function callCost(name: string, types: readonly StaticType[]): number {
  const [first = 0, second = 0] = types.map(sizeOf);
  switch (name) {
    case 'matches':
    case 'find':
    case 'findAll':
      return Math.ceil((first + 1) * PER_BYTE) * Math.ceil(second * PER_PATTERN_BYTE);
    case 'contains':
      return types[0]?.kind === 'string' ? steps(first) * steps(second) : 1;
    case 'startsWith':
    case 'endsWith':
      return steps(second);
    case '+':
      return types[0]?.kind === 'string' || types[0]?.kind === 'bytes' ? steps(first + second) : 1;
    case 'lowerAscii':
    case 'upperAscii':
    case 'trim':
    case 'substring':
    case 'split':
    case 'url':
    case 'isURL':
    case 'ip':
    case 'isIP':
    case 'cidr':
    case 'isCIDR':
    case 'quantity':
    case 'isQuantity':
    case 'string':
    case 'bytes':
      return Math.max(1, steps(first));
    case 'replace':
      return Math.max(1, 2 * steps(first));
    case 'indexOf':
    case 'lastIndexOf':
      return types[0]?.kind === 'string' ? Math.max(1, steps(first) * steps(second)) : Math.max(1, first);
    case 'join':
    case 'isSorted':
    case 'sum':
    case 'min':
    case 'max':
      return Math.max(1, first * itemSteps(types[0]));
    default:
      return 1;
  }
}

const ordered = new Set(['string', 'bytes']);
const scalars = new Set(['int', 'double', 'bool', 'timestamp', 'duration']);

/** Of what is compared the shorter side is read; what is in a schema without bounds counts as nothing. */
export function comparisonCost(operator: string, a: StaticType, b: StaticType): number {
  if (operator !== '==' && operator !== '!=' && !(ordered.has(a.kind) && ordered.has(b.kind))) return 1;
  const [x, y] = [a, b].map(({ kind, size }) => size ?? (scalars.has(kind) ? 1 : Number.POSITIVE_INFINITY)) as [
    number,
    number,
  ];
  const shorter = Math.min(x, y);
  return shorter === Number.POSITIVE_INFINITY ? 1 : steps(shorter);
}

/** What a list under construction costs besides its items, and a map. */
const LIST = 10;
const MAP = 30;

/**
 * What a macro takes over `count` items, each with `body` for what it evaluates: the loop that cel-go makes of it, with its
 * condition, its step and its result.
 */
export function loopCost(name: string, count: number, body: number): number {
  const [each, once] = loopSteps[name] ?? [3, 1];
  return count * (each + body) + once;
}

const loopSteps: Readonly<Record<string, readonly [each: number, once: number]>> = {
  all: [3, 1],
  exists: [4, 1],
  exists_one: [2, 2],
  existsOne: [2, 2],
  filter: [LIST + 3, LIST + 1],
  map: [LIST + 2, LIST + 1],
  transformList: [LIST + 2, LIST + 1],
  transformMap: [3, MAP + 1],
  transformMapEntry: [2, MAP + 1],
};

/** How large what a function gives can be, where that follows from what it is given. */
export function sizeOfResult(name: string, types: readonly StaticType[]): number | undefined {
  const [first, second] = types;
  switch (name) {
    case 'lowerAscii':
    case 'upperAscii':
    case 'trim':
    case 'substring':
    case 'find':
    case 'findAll':
    case 'split':
    case 'string':
      return first?.size;
    case 'join':
      return first?.size === undefined
        ? undefined
        : first.size * (sizeOf(first.item?.() ?? { kind: 'dyn' }) + (second ? sizeOf(second) : 0));
    case 'charAt':
      return 4;
    default:
      return undefined;
  }
}

/** Nothing is known of the size of computed values: they count as small, so that no rule is refused for them. */
function sizeOf({ size = 0 }: StaticType): number {
  return size;
}

function steps(bytes: number): number {
  return Math.ceil(bytes * PER_BYTE);
}

function itemSteps(list: StaticType | undefined): number {
  const item = list?.item?.();
  return item?.size === undefined ? 1 : Math.max(1, steps(item.size));
}
