import { BUDGET_EXCEEDED, type StepCount } from './environment.ts';
import type { Expression } from './expression.ts';

/** Steps of all expressions of a policy on one request, binding and parameter, as upstream has it. */
export const POLICY_STEPS = 10_000_000;

/** Steps of all `matchConditions` of a policy or webhook on one request. */
export const MATCH_CONDITIONS_STEPS = POLICY_STEPS / 4;

/** After so many steps others have their turn. */
const TURN = 50_000;

/** The expressions of a policy have used up what they have together: none of what they came to counts. */
export class BudgetExceededError extends Error {
  constructor() {
    super(BUDGET_EXCEEDED);
  }
}

/** Evaluates one of several expressions that share `budget`. Throws BudgetExceededError, or EvaluationError. */
export async function evaluateWithin(
  budget: StepCount,
  expression: Expression,
  variables: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const before = budget.left;
  let result: unknown;
  let failure: unknown;
  try {
    result = await expression.evaluate(variables, budget);
  } catch (error) {
    failure = error;
  }
  if (before - budget.left > TURN) await new Promise(setImmediate);
  if (budget.left < 0) throw new BudgetExceededError();
  if (failure) throw failure;
  return result;
}
