import type { Environment } from '@marcbachmann/cel-js';
import { CompileError } from './compile-error.ts';
import { createEnvironment } from './environment.ts';
import { correct } from './library/corrections.ts';
import { Patterns } from './library/patterns.ts';
import { type Budget, COST_EXCEEDED, EXPRESSION_STEPS, Meter } from './meter.ts';
import { chargeForReading } from './runtime-cost.ts';
import { prepareSource } from './source.ts';
import { checkLiterals } from './static-literals.ts';
import {
  eachNode,
  giveLoopsScopes,
  letHasLookAnywhere,
  letLoopsWait,
  makeMaps,
  placeOfNode,
  type SyntaxNode,
} from './syntax.ts';

/** Why an evaluation has no result. */
export class EvaluationError extends Error {}

export interface Expression {
  readonly source: string;
  readonly syntax: SyntaxNode;
  /** The type of its value as far as it is known: `bool`, `string`, `dyn`, ... */
  readonly type: string;
  /** Throws EvaluationError. A promise only where the authorizer is asked, and when a budget with turns lets others go on. */
  evaluate(variables: Readonly<Record<string, unknown>>, budget?: Budget): unknown;
}

/** Compiles expressions over a set of variables. */
export class ExpressionCompiler {
  readonly #meter = new Meter();
  readonly #patterns = new Patterns();
  readonly #environment: Environment;
  /** What expressions took that the one being evaluated refers to. */
  #nested = 0;

  constructor(variables: readonly string[], optional: readonly string[] = []) {
    this.#environment = createEnvironment(variables, optional, this.#meter);
  }

  /** Throws CompileError. */
  compile(source: string): Expression {
    let run: ReturnType<Environment['parse']>;
    try {
      run = this.#environment.parse(prepareSource(source));
    } catch (error) {
      throw new CompileError(`Syntax error: ${summaryOf(error)}`, source, placeOf(error));
    }
    const { ast } = run as unknown as { readonly ast: SyntaxNode };
    letLoopsWait(ast);
    eachNode(ast, (node) => {
      makeMaps(node);
      letHasLookAnywhere(node);
    });
    const checked = run.check() as { valid: boolean; type?: string; error?: Error };
    if (!checked.valid) throw new CompileError(upstreamWords(checked.error), source, placeOf(checked.error));
    checkLiterals(ast, source);
    eachNode(ast, (node) => {
      correct(node, this.#patterns);
      chargeForReading(node, this.#meter);
      giveLoopsScopes(node);
    });
    return {
      source,
      syntax: ast,
      type: checked.type ?? 'dyn',
      evaluate: (variables, budget) => this.#evaluate(run, variables, budget),
    };
  }

  /** An expression has its own limit, and is charged for those that it refers to, which are evaluated in its midst. */
  #evaluate(
    run: ReturnType<Environment['parse']>,
    variables: Readonly<Record<string, unknown>>,
    budget: Budget | undefined,
  ): unknown {
    const meter = this.#meter;
    const granted = Math.min(EXPRESSION_STEPS, Math.max(0, budget?.left ?? EXPRESSION_STEPS));
    const nestedBefore = this.#nested;
    this.#nested = 0;
    const { allowance, outer } = meter.begin(granted, budget?.turns);
    const account = () => {
      const taken = granted - allowance.left + this.#nested;
      if (budget) budget.left -= taken;
      this.#nested = nestedBefore + taken;
    };
    let result: unknown;
    try {
      result = run(variables as Record<string, unknown>);
      meter.settle();
      if (allowance.left < 0 && !(result instanceof Promise)) throw new Error(COST_EXCEEDED);
    } catch (error) {
      throw new EvaluationError(runtimeWords(error));
    } finally {
      meter.end(outer);
      if (!(result instanceof Promise)) account();
      else this.#nested = nestedBefore;
    }
    if (!(result instanceof Promise)) return result;
    return result
      .then((value) => {
        meter.settle();
        if (allowance.left < 0) throw new Error(COST_EXCEEDED);
        return value;
      })
      .catch((error) => {
        throw new EvaluationError(runtimeWords(error));
      })
      .finally(() => {
        meter.settle();
        if (budget) budget.left -= granted - allowance.left;
      });
  }
}

function summaryOf(error: unknown): string {
  return (error as { summary?: string }).summary ?? (error as Error).message;
}

function placeOf(error: unknown): number {
  const { node, range } = error as { node?: SyntaxNode; range?: { start: number } };
  return node && 'op' in node ? placeOfNode(node) : (range?.start ?? 0);
}

/** Failures of an evaluation whose words tell of types that expressions without types don't know beforehand. */
const overloads = new Set([
  ...['no_such_overload', 'no_matching_overload', 'invalid_logical_operand', 'invalid_condition_type'],
  ...['cannot_index_type', 'invalid_index_type', 'invalid_comprehension_range', 'optional_expected'],
]);

function runtimeWords(error: unknown): string {
  const { code } = error as { code?: string };
  return code !== undefined && overloads.has(code) ? 'no such overload' : upstreamWords(error);
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
    case 'optional_value_missing':
      return 'optional.none() dereference';
    case 'modulo_by_zero':
      return 'modulus by zero';
    case 'no_matching_overload':
      return summary.replace(
        /^found no matching overload for '([^(']*)\((.*)\)'$/,
        (_, name: string, types: string) => `found no matching overload for '${name}' applied to '(${types})'`,
      );
    default:
      if (summary.startsWith('integer overflow')) return 'integer overflow';
      if (summary === 'Unsigned integer overflow') return 'unsigned integer overflow';
      return summary.replace(
        /^no such overload: (.+?) (==|!=|<=?|>=?|\+|-|\*|\/|%|in) (.+)$/,
        (_, a: string, operator: string, b: string) =>
          `found no matching overload for '${operator === 'in' ? '@in' : `_${operator}_`}' applied to '(${upstreamType(a)}, ${upstreamType(b)})'`,
      );
  }
}

/** `list<int>` is `list(int)`, and times go by their short names. */
const upstreamType = (type: string) =>
  type
    .replaceAll('<', '(')
    .replaceAll('>', ')')
    .replaceAll('google.protobuf.Timestamp', 'timestamp')
    .replaceAll('google.protobuf.Duration', 'duration');
