import { type Environment, Optional } from '@marcbachmann/cel-js';

/** The parts of the library's evaluator, checker and contexts that macros work with. */
interface Node {
  readonly op: string;
  readonly args: unknown;
}
interface Scope {
  forkWithVariable(name: string, type: unknown): Scope;
  reuse(parent: Scope): Scope;
  setIterValue(value: unknown, evaluator: Evaluator): Scope;
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

  // What `prepareSource` makes of optional entries.
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

  const quantifier = (name: string, decide: (outcomes: Iterable<boolean>) => boolean) =>
    add(`list.${name}(ast, ast, ast): bool`, (call) =>
      twoVariables(call, 'bool', (_, steps) => decide(steps as Iterable<boolean>)),
    );
  quantifier('all', (outcomes) => {
    for (const outcome of outcomes) if (!outcome) return false;
    return true;
  });
  quantifier('exists', (outcomes) => {
    for (const outcome of outcomes) if (outcome) return true;
    return false;
  });
  quantifier('existsOne', (outcomes) => {
    let count = 0;
    for (const outcome of outcomes) if (outcome) count++;
    return count === 1;
  });
  add('list.existsOne(ast, ast): bool', (call) => {
    const [variable, predicate] = call.args as [Node, Node];
    const unused = { ...variable, args: '@index' } as Node;
    return twoVariables(
      { receiver: call.receiver, args: [unused, variable, predicate] },
      'bool',
      (_, steps) => [...(steps as Iterable<boolean>)].filter(Boolean).length === 1,
      true,
    );
  });
  // A last but one argument says which are taken.
  for (const filter of ['', 'ast, ']) {
    add(`list.transformList(ast, ast, ${filter}ast): list<dyn>`, (call) =>
      twoVariables(call, 'list<dyn>', (_, steps) => [...steps].filter((value) => value !== SKIPPED)),
    );
    add(`list.transformMap(ast, ast, ${filter}ast): map<dyn, dyn>`, (call) =>
      twoVariables(
        call,
        'map<dyn, dyn>',
        (keys, steps) =>
          new Map([...steps].flatMap((value, index) => (value === SKIPPED ? [] : [[keys[index], value] as const]))),
      ),
    );
    add(`list.transformMapEntry(ast, ast, ${filter}ast): map<dyn, dyn>`, (call) =>
      twoVariables(call, 'map<dyn, dyn>', (_, steps) => merged([...steps].filter((value) => value !== SKIPPED))),
    );
  }
}

/** What a filter leaves out. */
const SKIPPED = Symbol('skipped');

/** Maps of one entry as one. */
function merged(maps: readonly unknown[]): Map<unknown, unknown> {
  const result = new Map<unknown, unknown>();
  for (const map of maps)
    for (const [key, value] of map instanceof Map ? map : Object.entries(map as object)) {
      if (result.has(key)) throw new Error(`insert failed: key ${String(key)} already exists`);
      result.set(key, value);
    }
  return result;
}

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
      const value = evaluator.run(receiver, scope) as Optional;
      if (!value.hasValue()) return Optional.none();
      return wrap(evaluator.run(body, inner.reuse(scope).setIterValue(value.value(), evaluator)));
    },
  };
}

/** `decide` gets the keys and, as it takes them, what the body comes to for each. With `values`, one variable: the items. */
function twoVariables(
  { receiver, args }: MacroCall,
  type: string,
  decide: (keys: readonly unknown[], steps: Iterable<unknown>) => unknown,
  _values = false,
): object {
  const [first, second] = [identifier(args[0]), identifier(args[1])];
  const body = args.at(-1)!;
  const filter = args.length > 3 ? args[2] : undefined;
  let outer: Scope;
  let inner: Scope;
  return {
    typeCheck(checker: Checker, _: unknown, scope: Scope) {
      checker.check(receiver, scope);
      outer = scope.forkWithVariable(first, checker.getType('dyn'));
      inner = outer.forkWithVariable(second, checker.getType('dyn'));
      if (filter) checker.check(filter, inner);
      checker.check(body, inner);
      return checker.getType(type);
    },
    evaluate(evaluator: Evaluator, _: unknown, scope: Scope) {
      const range = evaluator.run(receiver, scope);
      const entries: [unknown, unknown][] = Array.isArray(range)
        ? range.map((item, index) => [BigInt(index), item])
        : range instanceof Map
          ? [...range]
          : Object.entries(range as object);
      const steps = function* () {
        for (const [key, value] of entries) {
          const at = outer.reuse(scope).setIterValue(key, evaluator);
          const here = inner.reuse(at).setIterValue(value, evaluator);
          yield filter && evaluator.run(filter, here) !== true ? SKIPPED : evaluator.run(body, here);
        }
      };
      return decide(
        entries.map(([key]) => key),
        steps(),
      );
    },
  };
}
