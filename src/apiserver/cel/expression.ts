import type { Environment } from '@marcbachmann/cel-js';
import { createEnvironment, type StepCount } from './environment.ts';
import { prepareSource } from './source.ts';

/** How many steps one expression may take, as upstream has it; about 0.1 s on a slow machine. */
export const EXPRESSION_STEPS = 1_000_000;

/** A tree node of the library, as far as it is looked at. */
export interface SyntaxNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
}

/** Why an expression does not compile, in the form of upstream's compiler. */
export class CompileError extends Error {
  constructor(message: string, source: string, at = 0) {
    const before = source.slice(0, at).split('\n');
    const line = source.split('\n')[before.length - 1] ?? '';
    const column = before.at(-1)!.length;
    super(`ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${'.'.repeat(column)}^`);
  }
}

/** Why an evaluation has no result. */
export class EvaluationError extends Error {}

export interface Expression {
  readonly source: string;
  readonly syntax: SyntaxNode;
  /** The type of its value as far as it is known: `bool`, `string`, `dyn`, ... */
  readonly type: string;
  /** Throws EvaluationError. A promise only where the authorizer is asked. */
  evaluate(variables: Readonly<Record<string, unknown>>, budget?: StepCount): unknown;
}

/** Compiles expressions over a set of variables. */
export class ExpressionCompiler {
  /** Of the expression that is being evaluated; what goes on after the authorizer was asked draws on it in between. */
  readonly #count: StepCount = { left: EXPRESSION_STEPS };
  readonly #environment: Environment;
  /** What expressions took that the one being evaluated refers to. */
  #nested = 0;
  #depth = 0;

  constructor(variables: readonly string[], optional: readonly string[] = []) {
    this.#environment = createEnvironment(variables, optional, this.#count);
  }

  /** Throws CompileError. */
  compile(source: string): Expression {
    let run: ReturnType<Environment['parse']>;
    try {
      run = this.#environment.parse(prepareSource(source));
    } catch (error) {
      throw new CompileError(`Syntax error: ${summaryOf(error)}`, source, placeOf(error));
    }
    const checked = run.check() as { valid: boolean; type?: string; error?: Error };
    if (!checked.valid) throw new CompileError(upstreamWords(checked.error), source, placeOf(checked.error));
    return {
      source,
      syntax: (run as unknown as { ast: SyntaxNode }).ast,
      type: checked.type ?? 'dyn',
      evaluate: (variables, budget) => this.#evaluate(run, variables, budget),
    };
  }

  /** An expression has its own limit, and is charged for those that it refers to, which are evaluated in its midst. */
  #evaluate(
    run: ReturnType<Environment['parse']>,
    variables: Readonly<Record<string, unknown>>,
    budget: StepCount | undefined,
  ): unknown {
    const count = this.#count;
    const outer = { left: count.left, nested: this.#nested };
    const granted = Math.min(EXPRESSION_STEPS, Math.max(0, budget?.left ?? EXPRESSION_STEPS));
    count.left = granted;
    this.#nested = 0;
    this.#depth++;
    try {
      const result: unknown = run(variables as Record<string, unknown>);
      if (result instanceof Promise)
        return result.catch((error) => {
          throw new EvaluationError(upstreamWords(error));
        });
      return result;
    } catch (error) {
      throw new EvaluationError(upstreamWords(error));
    } finally {
      const taken = granted - count.left + this.#nested;
      if (budget) budget.left -= taken;
      this.#depth--;
      count.left = this.#depth === 0 ? EXPRESSION_STEPS : outer.left;
      this.#nested = outer.nested + taken;
    }
  }
}

function summaryOf(error: unknown): string {
  return (error as { summary?: string }).summary ?? (error as Error).message;
}

function placeOf(error: unknown): number {
  return (error as { range?: { start: number } }).range?.start ?? 0;
}

/** The library's messages in the words of cel-go. */
function upstreamWords(error: unknown): string {
  const summary = summaryOf(error);
  const code = (error as { code?: string }).code;
  switch (code) {
    case 'unknown_variable':
      return `undeclared reference to '${summary.slice('Unknown variable: '.length)}' (in container '')`;
    case 'no_such_key':
      return `no such key: ${summary.slice('No such key: '.length)}`;
    case 'index_out_of_bounds':
      return `index out of bounds: ${/index (-?\d+)/.exec(summary)?.[1] ?? ''}`;
    case 'modulo_by_zero':
      return 'modulus by zero';
    case 'no_matching_overload':
      return summary.replace(
        /^found no matching overload for '([^(']*)\((.*)\)'$/,
        (_, name: string, types: string) => `found no matching overload for '${name}' applied to '(${types})'`,
      );
    default:
      return summary.replace(
        /^no such overload: (.+?) (==|!=|<=?|>=?|\+|-|\*|\/|%|in) (.+)$/,
        (_, a: string, operator: string, b: string) =>
          `found no matching overload for '${operator === 'in' ? '@in' : `_${operator}_`}' applied to '(${upstreamType(a)}, ${upstreamType(b)})'`,
      );
  }
}

/** `list<int>` is `list(int)`. */
const upstreamType = (type: string) => type.replaceAll('<', '(').replaceAll('>', ')');
