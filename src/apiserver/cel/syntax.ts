import { Optional } from '@marcbachmann/cel-js';

/** A tree node of the library, as far as it is looked at. */
export interface SyntaxNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
  /** The text that it is from. */
  readonly input: string;
}

/** Where messages about a node point to: its operator, bracket or dot, as cel-go has it. */
export function placeOfNode(node: SyntaxNode): number {
  const { op, args, start, input } = node;
  const [first] = Array.isArray(args) ? (args as unknown[]) : [];
  const after = (text: string, from: number) => {
    const at = input.indexOf(text, from);
    return at < 0 ? start : at;
  };
  const operand = typeof first === 'object' && first !== null && 'end' in first ? (first as SyntaxNode) : undefined;
  switch (op) {
    case 'call':
      return after('(', start);
    case 'rcall':
      return after('(', (args as [string, SyntaxNode])[1].end);
    case '[]':
    case '[?]':
      return after('[', operand?.end ?? start);
    case '.':
    case '.?':
      return after('.', operand?.end ?? start);
    case '?:':
      return after('?', operand?.end ?? start);
    case 'id':
    case 'value':
    case 'list':
    case 'map':
    case '!_':
    case '-_':
      return start;
    default:
      return operand ? after(op, operand.end) : start;
  }
}

interface LibraryNode extends SyntaxNode {
  readonly meta: {
    /** What a macro stands for. */
    readonly alternate?: LibraryNode;
    readonly macro?: { readonly loopBody?: LibraryNode };
  };
  setMeta(key: string, value: unknown): void;
  mayWait?: true;
}

/** Calls `visit` for each node of an expression, and of what its macros stand for, once. */
export function eachNode(root: SyntaxNode, visit: (node: SyntaxNode) => void): void {
  const seen = new Set<unknown>();
  const pending: unknown[] = [root];
  while (pending.length) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (Array.isArray(next)) pending.push(...next);
    else if (isNode(next)) {
      visit(next);
      pending.push(next.meta.alternate, next.op === 'comprehension' ? Object.values(next.args as object) : next.args);
    }
  }
}

function isNode(value: object): value is LibraryNode {
  return 'op' in value && 'meta' in value;
}

/** Before an expression is checked: lets the steps of its loops be promises, so that long loops can wait for their turn. */
export function letLoopsWait(root: SyntaxNode): void {
  eachNode(root, (node) => {
    const { meta, op, args } = node as LibraryNode;
    if (op === 'comprehension') {
      (node as LibraryNode).setMeta('async', true);
      (args as { step: LibraryNode }).step.mayWait = true;
    }
    if (meta.macro?.loopBody) meta.macro.loopBody.mayWait = true;
  });
}

interface LoopScope {
  readonly async?: boolean;
  reuse(parent: unknown): LoopScope;
}

interface LoopArguments {
  readonly iterCtx: LoopScope;
}

type LoopHandler = (range: unknown, args: LoopArguments, evaluator: unknown, scope: unknown) => unknown;

/**
 * After an expression was checked: a loop gets a scope of its own while another evaluation of it waits. The library has one
 * too, but loses the result of `all` and `exists` with it.
 */
export function giveLoopsScopes(node: SyntaxNode): void {
  if (node.op !== 'comprehension') return;
  const loop = node as SyntaxNode & { handle: LoopHandler };
  const { handle } = loop;
  const run: LoopHandler = (range, args, evaluator, scope) => {
    if (range instanceof Promise) return range.then((value) => run(value, args, evaluator, scope));
    const own = args.iterCtx.async ? { ...args, iterCtx: args.iterCtx.reuse(scope) } : args;
    return handle(range, own, evaluator, scope);
  };
  loop.handle = run;
}

interface Runner {
  run(node: SyntaxNode, scope: unknown): unknown;
}

/** Before an expression is checked: a literal map has keys of any type and name, each once. */
export function makeMaps(node: SyntaxNode): void {
  if (node.op !== 'map') return;
  const entries = node.args as readonly (readonly [SyntaxNode, SyntaxNode])[];
  (node as LibraryNode).setMeta('evaluate', (evaluator: Runner, _: unknown, scope: unknown) => {
    const parts = entries.flat().map((part) => evaluator.run(part, scope));
    return parts.some((part) => part instanceof Promise) ? Promise.all(parts).then(mapOf) : mapOf(parts);
  });
}

function mapOf(parts: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let index = 0; index < parts.length; index += 2) {
    const key = parts[index];
    if (map.has(key)) throw new Error(`Failed with repeated key: ${String(key)}`);
    map.set(key, parts[index + 1]);
  }
  return map;
}

interface Checker {
  check(node: SyntaxNode, scope: unknown): unknown;
  getType(name: string): unknown;
  createError(code: string, message: string, node: SyntaxNode): Error;
}

interface Presence extends Runner {
  debugType(value: unknown): { fieldLazy(value: unknown, name: unknown, node: SyntaxNode, runner: unknown): unknown };
}

/** Before an expression is checked: `has` asks for a field of anything, as of an item of a list. */
export function letHasLookAnywhere(node: SyntaxNode): void {
  if (node.op !== 'call') return;
  const [name, given] = node.args as [string, readonly SyntaxNode[]];
  const field = given[0];
  if (name !== 'has' || given.length !== 1 || !field) return;
  const [operand, key] = field.args as [SyntaxNode, string];
  const isPresent = (runner: Presence, given: unknown) => {
    const value = given instanceof Optional ? given.orValue(undefined) : given;
    return value !== undefined && runner.debugType(value).fieldLazy(value, key, field, runner) !== undefined;
  };
  (node as LibraryNode).setMeta('macro', {
    typeCheck(checker: Checker, _: unknown, scope: unknown) {
      if (field.op !== '.')
        throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', field);
      checker.check(operand, scope);
      return checker.getType('bool');
    },
    evaluate(runner: Presence, _: unknown, scope: unknown) {
      const value = runner.run(operand, scope);
      return value instanceof Promise ? value.then((result) => isPresent(runner, result)) : isPresent(runner, value);
    },
  });
  (node as LibraryNode).setMeta('async', true);
}
