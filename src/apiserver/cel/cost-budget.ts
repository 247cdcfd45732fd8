import type { Expression } from './expression.ts';
import { type Budget, Turns } from './meter.ts';

/** The message of upstream when several expressions together have taken too long. */
export const BUDGET_EXCEEDED =
  'validation failed due to running out of cost budget, no further validation rules will be run';

/** Steps of all expressions of a policy on one request, binding and parameter, as upstream has it. */
export const POLICY_STEPS = 10_000_000;

/** Steps that all rules of a custom resource's schema may take on one object. */
export const OBJECT_STEPS = 10_000_000;

/** Steps of all `matchConditions` of a policy or webhook on one request. */
export const MATCH_CONDITIONS_STEPS = POLICY_STEPS / 4;

/** Of which long evaluations let others have their turn. */
export function budgetOf(steps: number): Budget {
  return { left: steps, turns: new Turns() };
}

/** The expressions of a policy have used up what they have together: none of what they came to counts. */
export class BudgetExceededError extends Error {
  constructor() {
    super(BUDGET_EXCEEDED);
  }
}

/** Evaluates one of several expressions that share `budget`. Throws BudgetExceededError, or EvaluationError. */
export async function evaluateWithin(
  budget: Budget,
  expression: Expression,
  variables: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  if (budget.turns?.over) await budget.turns.next();
  let result: unknown;
  let failure: unknown;
  try {
    result = await expression.evaluate(variables, budget);
  } catch (error) {
    failure = error;
  }
  if (budget.left < 0) throw new BudgetExceededError();
  if (failure) throw failure;
  return result;
}
