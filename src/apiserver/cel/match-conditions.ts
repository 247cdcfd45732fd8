import type { MatchCondition } from '../../api/types/admissionregistration.v1.gen.ts';
import { BudgetExceededError, budgetOf, evaluateWithin, MATCH_CONDITIONS_STEPS } from './cost-budget.ts';
import type { Expression, ExpressionCompiler } from './expression.ts';

export interface ConditionResult {
  readonly matches: boolean;
  /** Conditions without a result, unless one says that the request does not match anyway. */
  readonly error?: string;
}

/** `matchConditions` of a webhook or policy: all must hold. They share one budget. */
export class MatchConditions {
  readonly #conditions: readonly { readonly source: string; readonly expression: Expression | Error }[];

  constructor(conditions: readonly MatchCondition[], compiler: ExpressionCompiler) {
    this.#conditions = conditions.map(({ expression }) => ({
      source: expression,
      expression: compile(compiler, expression),
    }));
  }

  async evaluate(variables: Readonly<Record<string, unknown>>): Promise<ConditionResult> {
    const budget = budgetOf(MATCH_CONDITIONS_STEPS);
    const errors: string[] = [];
    for (const { source, expression } of this.#conditions) {
      try {
        if (expression instanceof Error) errors.push(`compilation error: ${expression.message}`);
        else if ((await evaluateWithin(budget, expression, variables)) !== true) return { matches: false };
      } catch (error) {
        const { message } = error as Error;
        if (error instanceof BudgetExceededError) return { matches: false, error: message };
        errors.push(`expression '${source}' resulted in error: ${message}`);
      }
    }
    if (errors.length === 0) return { matches: true };
    return { matches: false, error: errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]` };
  }
}

export function compile(compiler: ExpressionCompiler, source: string): Expression | Error {
  try {
    return compiler.compile(source);
  } catch (error) {
    return error as Error;
  }
}
