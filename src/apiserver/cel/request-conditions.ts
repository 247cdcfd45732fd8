import type { MatchCondition } from '../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { RequestMatch } from '../admission/matching/request-match.ts';
import { ExpressionCompiler } from './expression.ts';
import { type ConditionResult, MatchConditions } from './match-conditions.ts';
import { REQUEST_VARIABLES, requestVariables } from './request-variables.ts';

/** The `matchConditions` of a webhook, which are about the request alone. */
export class RequestConditions {
  readonly #conditions: MatchConditions;
  readonly #authorizer: Authorizer;

  constructor(conditions: readonly MatchCondition[], authorizer: Authorizer) {
    this.#conditions = new MatchConditions(conditions, new ExpressionCompiler(REQUEST_VARIABLES));
    this.#authorizer = authorizer;
  }

  evaluate(
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
  ): Promise<ConditionResult> {
    const { oldObject } = attributes;
    return this.#conditions.evaluate(requestVariables(attributes, match, { object, oldObject }, this.#authorizer));
  }
}
