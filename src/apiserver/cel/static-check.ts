import { CompileError } from './compile-error.ts';
import type { Expression } from './expression.ts';
import { dyn, type StaticType, scalar } from './schema-types.ts';
import { callCost, comparisonCost, loopCost, sizeOfResult } from './static-cost.ts';
import { placeOfNode, type SyntaxNode } from './syntax.ts';

export type Scope = ReadonlyMap<string, StaticType>;

export interface Analysis {
  readonly type: StaticType;
  /** Steps at most. */
  readonly cost: number;
}

const BOOL = scalar('bool');
const comparisons = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** Follows the types of a schema through an expression: fields that are not there, operands that never fit, and what it costs. */
export function analyse(expression: Expression, scope: Scope): Analysis {
  return new Analyser(expression.source).visit(expression.syntax, scope);
}

class Analyser {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  visit(node: SyntaxNode, scope: Scope): Analysis {
    switch (node.op) {
      case 'value':
        return { type: literalType(node.args), cost: 0 };
      case 'id':
        return { type: scope.get(node.args as string) ?? dyn, cost: 1 };
      case '.':
      case '.?':
        return this.#field(node, scope);
      case '[]':
      case '[?]':
        return this.#index(node, scope);
      case 'call':
        return this.#call(node, scope);
      case 'rcall':
        return this.#method(node, scope);
      case 'list': {
        const items = (node.args as SyntaxNode[]).map((item) => this.visit(item, scope));
        return { type: { kind: 'list', item: () => items[0]?.type ?? dyn, size: items.length }, cost: 10 + sum(items) };
      }
      case 'map': {
        const entries = (node.args as SyntaxNode[][]).flat().map((item) => this.visit(item, scope));
        return { type: { kind: 'map', item: () => dyn, size: entries.length / 2 }, cost: 30 + sum(entries) };
      }
      case '?:': {
        const [condition, left, right] = (node.args as SyntaxNode[]).map((part) => this.visit(part, scope)) as [
          Analysis,
          Analysis,
          Analysis,
        ];
        return {
          type: left.type.kind === right.type.kind ? left.type : dyn,
          cost: condition.cost + Math.max(left.cost, right.cost),
        };
      }
      case '!_':
      case '-_': {
        const operand = this.visit(node.args as SyntaxNode, scope);
        // A negative number is written so, not computed.
        const literal = node.op === '-_' && (node.args as SyntaxNode).op === 'value';
        return { type: node.op === '!_' ? BOOL : operand.type, cost: operand.cost + (literal ? 0 : 1) };
      }
      default:
        return this.#binary(node, scope);
    }
  }

  #field(node: SyntaxNode, scope: Scope): Analysis {
    const [left, name] = node.args as [SyntaxNode, string];
    const { type, cost } = this.visit(left, scope);
    const total = cost + 1;
    if (node.op === '.?') return { type: dyn, cost: total };
    if (type.kind === 'map') {
      // Of what a map has under a name the bounds are not known.
      const { size: _, ...item } = type.item?.() ?? dyn;
      return { type: item, cost: total };
    }
    if (type.kind === 'object') {
      const field = type.field?.(name);
      if (!field)
        throw new CompileError(
          `undefined field '${name}'`,
          this.#source,
          node.start + this.#source.slice(node.start).indexOf(`.${name}`),
        );
      return { type: field, cost: total };
    }
    if (type.kind !== 'dyn')
      throw new CompileError(`type '${shown(type)}' does not support field selection`, this.#source, node.start);
    return { type: dyn, cost: total };
  }

  #index(node: SyntaxNode, scope: Scope): Analysis {
    const [left, at] = (node.args as SyntaxNode[]).map((part) => this.visit(part, scope)) as [Analysis, Analysis];
    const { type } = left;
    return {
      type: node.op === '[]' && (type.kind === 'list' || type.kind === 'map') ? (type.item?.() ?? dyn) : dyn,
      cost: 1 + left.cost + at.cost,
    };
  }

  #call(node: SyntaxNode, scope: Scope): Analysis {
    const [name, given] = node.args as [string, SyntaxNode[]];
    // Whether a field is there costs nothing to find out.
    if (name === 'has') {
      this.visit(given[0]!, scope);
      return { type: BOOL, cost: 0 };
    }
    const parts = given.map((part) => this.visit(part, scope));
    const kind = (
      {
        size: 'int',
        int: 'int',
        string: 'string',
        double: 'double',
        bool: 'bool',
        matches: 'bool',
        timestamp: 'timestamp',
        duration: 'duration',
      } as const
    )[name];
    const types = parts.map(({ type }) => type);
    return {
      type: kind ? sized(kind, sizeOfResult(name, types)) : /^is[A-Z]/.test(name) ? BOOL : dyn,
      cost: callCost(name, types) + sum(parts),
    };
  }

  #method(node: SyntaxNode, scope: Scope): Analysis {
    const [name, receiver, given] = node.args as [string, SyntaxNode, SyntaxNode[]];
    if (name === 'bind' && receiver.op === 'id' && receiver.args === 'cel') {
      const value = this.visit(given[1]!, scope);
      const body = this.visit(given[2]!, with_(scope, [[given[0]!, value.type]]));
      return { type: body.type, cost: value.cost + body.cost };
    }
    const of = this.visit(receiver, scope);
    if (loops.has(name) && given.length >= 2 && given[0]!.op === 'id') return this.#loop(name, of, given, scope);
    if (name === 'optMap' || name === 'optFlatMap') {
      const body = this.visit(given[1]!, with_(scope, [[given[0]!, dyn]]));
      return { type: dyn, cost: of.cost + body.cost };
    }
    const parts = given.map((part) => this.visit(part, scope));
    const kind = methods[name];
    const types = [of.type, ...parts.map(({ type }) => type)];
    const size = sizeOfResult(name, types);
    const cost = callCost(name, types) + of.cost + sum(parts);
    if (name === 'split' || name === 'findAll')
      return { type: { kind: 'list', item: () => sized('string', of.type.size), ...(size ? { size } : {}) }, cost };
    return { type: kind ? sized(kind, size) : dyn, cost };
  }

  #loop(name: string, of: Analysis, given: readonly SyntaxNode[], scope: Scope): Analysis {
    const { type } = of;
    if (!['list', 'map', 'dyn'].includes(type.kind) && type.kind !== 'object')
      throw new CompileError(
        `expression of type '${shown(type)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        this.#source,
        given[0]!.start,
      );
    const key: StaticType = type.kind === 'list' ? scalar('int') : type.kind === 'map' ? scalar('string') : dyn;
    const item = type.item?.() ?? dyn;
    const two = given.length >= 3 && given[1]!.op === 'id' && name !== 'map';
    const inner = two
      ? with_(scope, [
          [given[0]!, key],
          [given[1]!, item],
        ])
      : with_(scope, [[given[0]!, type.kind === 'map' ? key : item]]);
    const bodies = given.slice(two ? 2 : 1).map((part) => this.visit(part, inner));
    const cost = of.cost + loopCost(name, type.size ?? 100, sum(bodies));
    if (name === 'filter')
      return {
        type:
          type.kind === 'map'
            ? { kind: 'list', item: () => scalar('string'), ...(type.size ? { size: type.size } : {}) }
            : type,
        cost,
      };
    if (name === 'map' || name === 'transformList')
      return {
        type: { kind: 'list', item: () => bodies.at(-1)!.type, ...(type.size ? { size: type.size } : {}) },
        cost,
      };
    return { type: name === 'transformMap' ? dyn : BOOL, cost };
  }

  #binary(node: SyntaxNode, scope: Scope): Analysis {
    const [left, right] = (node.args as SyntaxNode[]).map((part) => this.visit(part, scope)) as [Analysis, Analysis];
    const operands = left.cost + right.cost;
    const { op } = node;
    const [a, b] = [left.type, right.type];
    if (op === '&&' || op === '||') {
      if (![a, b].every(({ kind }) => kind === 'bool' || kind === 'dyn')) throw this.#noOverload(node, a, b);
      return { type: BOOL, cost: operands };
    }
    // A map finds its keys by themselves.
    if (op === 'in') return { type: BOOL, cost: operands + 1 + (b.kind === 'list' ? (b.size ?? 0) : 0) };
    if (comparisons.has(op)) {
      if (!comparable(op, a, b)) throw this.#noOverload(node, a, b);
      return { type: BOOL, cost: operands + comparisonCost(op, a, b) };
    }
    const cost = operands + callCost(op, [a, b]);
    if (a.kind === 'dyn' || b.kind === 'dyn') return { type: dyn, cost };
    if (!computes(op, a, b)) throw this.#noOverload(node, a, b);
    if (op === '+' && a.size !== undefined && b.size !== undefined)
      return { type: { ...a, size: a.size + b.size }, cost };
    return {
      type: a.kind === 'timestamp' && b.kind === 'timestamp' ? scalar('duration') : b.kind === 'timestamp' ? b : a,
      cost,
    };
  }

  #noOverload(node: SyntaxNode, a: StaticType, b: StaticType): CompileError {
    return new CompileError(
      `found no matching overload for '_${node.op}_' applied to '(${shown(a)}, ${shown(b)})'`,
      this.#source,
      placeOfNode(node),
    );
  }
}

const loops = new Set([
  ...['all', 'exists', 'exists_one', 'existsOne', 'filter', 'map'],
  ...['transformList', 'transformMap', 'transformMapEntry'],
]);

const methods: Readonly<Record<string, StaticType['kind']>> = {
  size: 'int',
  contains: 'bool',
  startsWith: 'bool',
  endsWith: 'bool',
  matches: 'bool',
  lowerAscii: 'string',
  upperAscii: 'string',
  trim: 'string',
  substring: 'string',
  replace: 'string',
  join: 'string',
  charAt: 'string',
  find: 'string',
  format: 'string',
  indexOf: 'int',
  lastIndexOf: 'int',
  isSorted: 'bool',
  isGreaterThan: 'bool',
  isLessThan: 'bool',
  hasValue: 'bool',
  compareTo: 'int',
};

function sized(kind: StaticType['kind'], size: number | undefined): StaticType {
  return size === undefined ? scalar(kind) : { kind, size };
}

function with_(scope: Scope, variables: readonly (readonly [SyntaxNode, StaticType])[]): Scope {
  return new Map([...scope, ...variables.map(([node, type]) => [node.args as string, type] as const)]);
}

function sum(parts: readonly Analysis[]): number {
  return parts.reduce((total, { cost }) => total + cost, 0);
}

function literalType(value: unknown): StaticType {
  switch (typeof value) {
    case 'bigint':
      return scalar('int');
    case 'number':
      return scalar('double');
    case 'string':
      return { kind: 'string', size: value.length };
    case 'boolean':
      return BOOL;
    default:
      return value === null ? scalar('null') : value instanceof Uint8Array ? scalar('bytes') : dyn;
  }
}

function comparable(op: string, { kind: a }: StaticType, { kind: b }: StaticType): boolean {
  if (a === 'dyn' || b === 'dyn') return true;
  if (op === '==' || op === '!=')
    return a === b || (a === 'null' && b === 'object') || (b === 'null' && a === 'object') || (isMap(a) && isMap(b));
  const numbers = (kind: string) => kind === 'int' || kind === 'double';
  return (a === b && !['list', 'map', 'object', 'null'].includes(a)) || (numbers(a) && numbers(b));
}

const isMap = (kind: string) => kind === 'map' || kind === 'object';

function computes(op: string, { kind: a }: StaticType, { kind: b }: StaticType): boolean {
  if (a === b) {
    if (a === 'int') return true;
    if (a === 'double') return op !== '%';
    if (op === '+') return ['string', 'list', 'bytes', 'duration'].includes(a);
    return op === '-' && ['duration', 'timestamp'].includes(a);
  }
  return ['timestamp', 'duration'].includes(a) && ['timestamp', 'duration'].includes(b);
}

export function shown(type: StaticType): string {
  if (type.kind === 'list') return `list(${type.item ? shown(type.item()) : 'dyn'})`;
  if (type.kind === 'map') return `map(string, ${type.item ? shown(type.item()) : 'dyn'})`;
  return type.kind;
}
