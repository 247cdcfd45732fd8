import type { Environment } from '@marcbachmann/cel-js';
import { createEnvironment, type StepCount } from './environment.ts';
import { prepareSource } from './source.ts';

/** How many steps one expression may take; about 50 ms on a slow machine. */
export const EXPRESSION_STEPS = 500_000;

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
  readonly #count: StepCount = { left: 0 };
  readonly #environment: Environment;

  constructor(variables: readonly string[], optional: readonly string[] = []) {
    this.#environment = createEnvironment(variables, optional, this.#count);
  }

  /** Throws CompileError. */
  compile(source: string): Expression {
    const count = this.#count;
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
      evaluate(variables, budget) {
        // An expression may be evaluated in the midst of another that refers to it.
        const outer = count.left;
        const granted = Math.min(EXPRESSION_STEPS, budget?.left ?? EXPRESSION_STEPS);
        count.left = granted;
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
          const taken = granted - count.left;
          if (budget) budget.left -= taken;
          count.left = outer - taken;
        }
      },
    };
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
      return summary;
  }
}
