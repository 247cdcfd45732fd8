import type { MatchCondition } from '../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { RequestMatch } from '../admission/matching/request-match.ts';
import { type Expression, ExpressionCompiler } from './expression.ts';
import { REQUEST_VARIABLES, requestVariables } from './request-variables.ts';

export interface ConditionResult {
  readonly matches: boolean;
  /** Conditions without a result, unless one says that the request does not match anyway. */
  readonly error?: string;
}

/** `matchConditions` of a webhook or policy: all must hold. */
export class MatchConditions {
  readonly #conditions: readonly { readonly name: string; readonly expression: Expression | Error }[];
  readonly #authorizer: Authorizer;

  constructor(conditions: readonly MatchCondition[], authorizer: Authorizer, variables: readonly string[] = []) {
    this.#authorizer = authorizer;
    const compiler = new ExpressionCompiler([...REQUEST_VARIABLES, ...variables]);
    this.#conditions = conditions.map(({ name, expression }) => ({ name, expression: compile(compiler, expression) }));
  }

  async evaluate(
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<ConditionResult> {
    const variables = {
      ...requestVariables(attributes, match, { object, oldObject: attributes.oldObject }, this.#authorizer),
      ...more,
    };
    const errors: string[] = [];
    for (const { name, expression } of this.#conditions) {
      try {
        if (expression instanceof Error) throw expression;
        if ((await expression.evaluate(variables)) !== true) return { matches: false };
      } catch (error) {
        errors.push(`expression '${name}' resulted in error: ${(error as Error).message}`);
      }
    }
    return errors.length ? { matches: false, error: errors.join(', ') } : { matches: true };
  }
}

export function compile(compiler: ExpressionCompiler, source: string): Expression | Error {
  try {
    return compiler.compile(source);
  } catch (error) {
    return error as Error;
  }
}
