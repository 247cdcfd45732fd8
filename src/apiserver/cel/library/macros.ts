import { type Environment, Optional } from '@marcbachmann/cel-js';
import { compareCel } from './equality.ts';

/** The parts of the library's evaluator, checker and contexts that macros work with. */
interface Node {
  readonly op: string;
  readonly args: unknown;
}
interface Scope {
  forkWithVariable(name: string, type: unknown): Scope;
  reuse(parent: Scope): Scope;
  setIterValue(value: unknown, evaluator: Evaluator): Scope;
  /** Of a scope that waits, which nobody may reuse. */
  async?: boolean;
}
interface Evaluator {
  run(node: Node, scope: Scope): unknown;
}
interface Checker {
  check(node: Node, scope: Scope): { readonly kind: string; readonly name: string; readonly valueType?: unknown };
  getType(name: string): unknown;
  readonly registry: { getOptionalType(type: unknown): unknown };
  createError(code: string, message: string, node: Node): Error;
}
interface MacroCall {
  readonly receiver: Node;
  readonly args: readonly Node[];
}

/** Macros that the library lacks: of optional values, and comprehensions with two variables. */
export function registerMacros(environment: Environment): void {
  const add = (signature: string, handler: (call: MacroCall) => object) =>
    environment.registerFunction(signature, handler as never);
  add('optional.optMap(ast, ast): dyn', (call) => mapOptional(call, (value) => Optional.of(value)));
  add('optional.optFlatMap(ast, ast): dyn', (call) => mapOptional(call, (value) => value));

  // What `prepareSource` makes of objects of named types, and of optional entries.
  environment.registerFunction('objectOf(map): map<dyn, dyn>', ((fields: unknown) => fields) as never);
  const entry = (value: unknown, optional: boolean | undefined) =>
    !optional ? Optional.of(value) : (value as Optional);
  environment.registerFunction('optionalList(list, list): list<dyn>', ((values: unknown[], optional: boolean[]) =>
    values
      .map((value, index) => entry(value, optional[index]))
      .flatMap((value) => (value.hasValue() ? [value.value()] : []))) as never);
  environment.registerFunction(
    'optionalMap(list, list, list): map<dyn, dyn>',
    ((keys: unknown[], values: unknown[], optional: boolean[]) =>
      new Map(
        keys
          .map((key, index) => [key, entry(values[index], optional[index])] as const)
          .flatMap(([key, value]) => (value.hasValue() ? [[key, value.value()] as const] : [])),
      )) as never,
  );

  const quantifier = (name: string, fold: () => Fold) =>
    add(`list.${name}(ast, ast, ast): bool`, (call) => twoVariables(call, 'bool', fold));
  quantifier('all', () => search(false));
  quantifier('exists', () => search(true));
  for (const name of ['existsOne', 'exists_one']) quantifier(name, exactlyOne);
  add('list.existsOne(ast, ast): bool', (call) => {
    const [variable, predicate] = call.args as [Node, Node];
    const unused = { ...variable, args: '@key' } as Node;
    return twoVariables({ receiver: call.receiver, args: [unused, variable, predicate] }, 'bool', exactlyOne, true);
  });
  add('list.sortBy(ast, ast): list<dyn>', (call) => {
    const [variable, key] = call.args as [Node, Node];
    const unused = { ...variable, args: '@key' } as Node;
    return twoVariables({ receiver: call.receiver, args: [unused, variable, key] }, 'list<dyn>', sorted);
  });
  // A last but one argument says which are taken.
  for (const filter of ['', 'ast, ']) {
    add(`list.transformList(ast, ast, ${filter}ast): list<dyn>`, (call) => twoVariables(call, 'list<dyn>', items));
    add(`list.transformMap(ast, ast, ${filter}ast): map<dyn, dyn>`, (call) =>
      twoVariables(call, 'map<dyn, dyn>', entries),
    );
    add(`list.transformMapEntry(ast, ast, ${filter}ast): map<dyn, dyn>`, (call) =>
      twoVariables(call, 'map<dyn, dyn>', mergedEntries),
    );
  }
}

/** What becomes of what the body of a loop comes to, key by key. */
interface Fold {
  /** Whether the loop goes on. */
  take(key: unknown, value: unknown, item: unknown): boolean;
  /** Keeps an error of the body; without it errors end the loop. */
  fail?(error: unknown): void;
  result(): unknown;
}

/** Ends at the first `wanted`, which makes errors before it unimportant. */
function search(wanted: boolean): Fold {
  let found = false;
  let failure: { readonly error: unknown } | undefined;
  return {
    take(_, value) {
      found = bool(value) === wanted;
      return !found;
    },
    fail(error) {
      failure ??= { error };
    },
    result() {
      if (!found && failure) throw failure.error;
      return found === wanted;
    },
  };
}

function exactlyOne(): Fold {
  let count = 0;
  return {
    take(_, value) {
      if (bool(value)) count++;
      return true;
    },
    result: () => count === 1,
  };
}

function bool(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error('no such overload');
  return value;
}

function items(): Fold {
  const list: unknown[] = [];
  return { take: (_, value) => list.push(value) > 0, result: () => list };
}

/** Items in the order of what the body comes to for each. */
function sorted(): Fold {
  const pairs: (readonly [unknown, unknown])[] = [];
  return {
    take: (_, key, item) => pairs.push([key, item]) > 0,
    result: () => pairs.sort(([a], [b]) => compareCel(a, b)).map(([, item]) => item),
  };
}

function entries(): Fold {
  const map = new Map<unknown, unknown>();
  return { take: (key, value) => map.set(key, value).size > 0, result: () => map };
}

/** Maps of one entry as one. */
function mergedEntries(): Fold {
  const result = new Map<unknown, unknown>();
  return {
    take(_, map) {
      for (const [key, value] of map instanceof Map ? map : Object.entries(map as object)) {
        if (result.has(key)) throw new Error(`insert failed: key ${String(key)} already exists`);
        result.set(key, value);
      }
      return true;
    },
    result: () => result,
  };
}

/** What a filter leaves out. */
const SKIPPED = Symbol('skipped');

function identifier(node: Node | undefined): string {
  if (node?.op !== 'id') throw new Error('argument must be a simple name');
  return node.args as string;
}

function mapOptional({ receiver, args }: MacroCall, wrap: (value: unknown) => unknown): object {
  const name = identifier(args[0]);
  const body = args[1]!;
  let inner: Scope;
  return {
    typeCheck(checker: Checker, _: unknown, scope: Scope) {
      const type = checker.check(receiver, scope);
      inner = scope.forkWithVariable(name, type.kind === 'optional' ? type.valueType : checker.getType('dyn'));
      checker.check(body, inner);
      return checker.getType('optional');
    },
    evaluate(evaluator: Evaluator, _: unknown, scope: Scope) {
      const mapped = (value: unknown) => {
        if (!(value as Optional).hasValue()) return Optional.none();
        const here = inner.reuse(scope).setIterValue((value as Optional).value(), evaluator);
        const result = evaluator.run(body, here);
        if (!(result instanceof Promise)) return wrap(result);
        here.async = true;
        return result.then(wrap);
      };
      const value = evaluator.run(receiver, scope);
      return value instanceof Promise ? value.then(mapped) : mapped(value);
    },
  };
}

/** A loop over the keys (of a list: indices) and values. With `keysOnly` the values of a map are its keys. */
function twoVariables({ receiver, args }: MacroCall, type: string, makeFold: () => Fold, keysOnly = false): object {
  const [first, second] = [identifier(args[0]), identifier(args[1])];
  const body = args.at(-1)!;
  const filter = args.length > 3 ? args[2] : undefined;
  let outer: Scope;
  let inner: Scope;
  return {
    /** Where the loop can wait. */
    loopBody: body,
    typeCheck(checker: Checker, _: unknown, scope: Scope) {
      checker.check(receiver, scope);
      outer = scope.forkWithVariable(first, checker.getType('dyn'));
      inner = outer.forkWithVariable(second, checker.getType('dyn'));
      if (filter) checker.check(filter, inner);
      checker.check(body, inner);
      return checker.getType(type);
    },
    evaluate(evaluator: Evaluator, _: unknown, scope: Scope) {
      const step = ([key, value]: readonly [unknown, unknown]): unknown => {
        const at = outer.reuse(scope).setIterValue(key, evaluator);
        const here = inner.reuse(at).setIterValue(value, evaluator);
        const taken = (kept: unknown) => (kept === true ? evaluator.run(body, here) : SKIPPED);
        const kept = filter ? evaluator.run(filter, here) : true;
        const result = kept instanceof Promise ? kept.then(taken) : taken(kept);
        if (result instanceof Promise) {
          at.async = true;
          here.async = true;
        }
        return result;
      };
      const loop = (range: unknown) => new Loop(entriesOf(range, keysOnly), step, makeFold()).run();
      const range = evaluator.run(receiver, scope);
      return range instanceof Promise ? range.then(loop) : loop(range);
    },
  };
}

function entriesOf(range: unknown, keysOnly: boolean): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(range)) return range.map((item, index) => [BigInt(index), item]);
  if (typeof range !== 'object' || range === null) throw new Error('no such overload');
  const pairs = range instanceof Map ? [...range] : Object.entries(range);
  return keysOnly ? pairs.map(([key]) => [key, key]) : pairs;
}

/** Steps one after the other; once one is a promise, so is the rest. */
class Loop {
  readonly #entries: readonly (readonly [unknown, unknown])[];
  readonly #step: (entry: readonly [unknown, unknown]) => unknown;
  readonly #fold: Fold;
  #at = 0;

  constructor(
    entries: readonly (readonly [unknown, unknown])[],
    step: (entry: readonly [unknown, unknown]) => unknown,
    fold: Fold,
  ) {
    this.#entries = entries;
    this.#step = step;
    this.#fold = fold;
  }

  run(): unknown {
    while (this.#at < this.#entries.length) {
      const result = this.#next();
      if (result instanceof Promise) return this.#wait(result);
      if (!this.#take(result)) break;
    }
    return this.#fold.result();
  }

  async #wait(pending: Promise<unknown>): Promise<unknown> {
    const result = await pending.catch((error) => this.#failed(error));
    return this.#take(result) ? this.run() : this.#fold.result();
  }

  #next(): unknown {
    try {
      return this.#step(this.#entries[this.#at]!);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): unknown {
    if (!this.#fold.fail) throw error;
    this.#fold.fail(error);
    return SKIPPED;
  }

  #take(result: unknown): boolean {
    const [key, item] = this.#entries[this.#at++]!;
    if (result === SKIPPED) return true;
    return this.#fold.take(key, result, item);
  }
}
