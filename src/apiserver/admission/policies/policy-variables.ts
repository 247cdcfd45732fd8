import type { Variable } from '../../../api/types/admissionregistration.v1.gen.ts';
import { CompileError } from '../../cel/compile-error.ts';
import type { Expression, ExpressionCompiler } from '../../cel/expression.ts';
import { compile } from '../../cel/match-conditions.ts';
import { mentions } from '../../cel/schema-rules.ts';

/** The `variables` of a policy: each has its value when an expression asks for it, once for each request. */
export class PolicyVariables {
  readonly #expressions: ReadonlyMap<string, Expression | Error>;

  constructor(compiler: ExpressionCompiler, variables: readonly Variable[] = []) {
    this.#expressions = new Map(variables.map(({ name, expression }) => [name, compile(compiler, expression)]));
  }

  /** Values for one evaluation over `known`; adds itself to them as `variables`. */
  async bind(known: Record<string, unknown>): Promise<Record<string, unknown>> {
    const values = new Map<string, unknown>();
    const failures = new Map<string, Error>();
    const bound = { ...known, variables: values };
    const stored = values.get.bind(values);
    values.get = (name: string) => {
      const expression = this.#expressions.get(name);
      if (!expression || values.has(name)) return stored(name);
      const failure = failures.get(name);
      if (failure) throw failure;
      try {
        if (expression instanceof Error) throw expression;
        const value = expression.evaluate(bound);
        values.set(name, value);
        return value;
      } catch (error) {
        const failed = failedVariable(name, error);
        failures.set(name, failed);
        throw failed;
      }
    };
    // Who is allowed what takes time to find out: such values are there beforehand.
    for (const [name, expression] of this.#expressions)
      if (!(expression instanceof Error) && mentions(expression.syntax, 'authorizer'))
        try {
          values.set(name, await expression.evaluate(bound));
        } catch (error) {
          failures.set(name, failedVariable(name, error));
        }
    return bound;
  }
}

function failedVariable(name: string, error: unknown): Error {
  const what = error instanceof CompileError ? 'compile' : 'evaluate';
  return new Error(`composited variable ${JSON.stringify(name)} fails to ${what}: ${(error as Error).message}`);
}
