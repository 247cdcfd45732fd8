import type { ValidatingAdmissionPolicySpec } from '../../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import { BUDGET_EXCEEDED, type StepCount } from '../../cel/environment.ts';
import type { Expression } from '../../cel/expression.ts';
import { compile } from '../../cel/match-conditions.ts';
import type { RequestMatch } from '../matching/request-match.ts';
import { type BindingSpec, CompiledPolicy, type PolicyServices } from './compiled-policy.ts';

/** Steps that all expressions of a policy may take on one request and parameter. */
const POLICY_STEPS = 1_000_000;

/** A validation that does not hold, or could not be evaluated. */
export interface Failure {
  readonly message: string;
  readonly reason?: string;
  /** Of the validation. */
  readonly index: number;
  readonly isError: boolean;
}

interface CompiledValidation {
  readonly source: string;
  readonly expression: Expression | Error;
  readonly message: string | undefined;
  readonly messageExpression: Expression | Error | undefined;
  readonly reason: string | undefined;
}

export class ValidatingPolicy extends CompiledPolicy {
  readonly #validations: readonly CompiledValidation[];
  readonly #annotations: readonly { readonly key: string; readonly expression: Expression | Error }[];

  constructor(services: PolicyServices, spec: ValidatingAdmissionPolicySpec) {
    super(services, spec);
    this.#validations = (spec.validations ?? []).map(({ expression, message, messageExpression, reason }) => ({
      source: expression,
      expression: compile(this.compiler, expression),
      message,
      messageExpression: messageExpression ? compile(this.compiler, messageExpression) : undefined,
      reason,
    }));
    this.#annotations = (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: compile(this.compiler, valueExpression),
    }));
  }

  async failures(
    name: string,
    binding: BindingSpec,
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
  ): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    try {
      for await (const { variables } of this.evaluations(binding, attributes, match, object)) {
        // An evaluation that runs out of its budget comes to that alone.
        const found: Failure[] = [];
        const budget = { left: POLICY_STEPS };
        for (const [index, validation] of this.#validations.entries()) {
          const failure = await this.#validate(validation, index, variables, budget);
          if (budget.left <= 0) throw new Error(BUDGET_EXCEEDED);
          if (failure) found.push(failure);
        }
        await this.#annotate(name, attributes, variables, found, budget);
        failures.push(...found);
      }
    } catch (error) {
      failures.push({ message: (error as Error).message, index: 0, isError: true });
    }
    return this.ignoresFailure ? failures.filter(({ isError }) => !isError) : failures;
  }

  async #validate(
    validation: CompiledValidation,
    index: number,
    variables: Record<string, unknown>,
    budget: StepCount,
  ): Promise<Failure | undefined> {
    const { expression, source, message, reason } = validation;
    try {
      if (expression instanceof Error) throw new Error(`compilation error: ${expression.message}`);
      const result = await expression.evaluate(variables, budget);
      if (result === true) return undefined;
      const text =
        (await this.#messageOf(validation, variables, budget)) ??
        (message ? message.trim() : `failed expression: ${source.trim()}`);
      return { message: text, ...(reason ? { reason } : {}), index, isError: false };
    } catch (error) {
      return { message: `expression '${source}' resulted in error: ${(error as Error).message}`, index, isError: true };
    }
  }

  async #messageOf(
    { messageExpression }: CompiledValidation,
    variables: Record<string, unknown>,
    budget: StepCount,
  ): Promise<string | undefined> {
    if (!messageExpression || messageExpression instanceof Error) return undefined;
    try {
      const text = await messageExpression.evaluate(variables, budget);
      return typeof text === 'string' && text.trim() !== '' && !/[\r\n]/.test(text) ? text.trim() : undefined;
    } catch {
      return undefined;
    }
  }

  async #annotate(
    name: string,
    attributes: AdmissionAttributes,
    variables: Record<string, unknown>,
    failures: Failure[],
    budget: StepCount,
  ): Promise<void> {
    for (const [index, { key, expression }] of this.#annotations.entries()) {
      try {
        if (expression instanceof Error) throw expression;
        const value = await expression.evaluate(variables, budget);
        if (typeof value === 'string' && value !== '') attributes.annotateAudit(`${name}/${key}`, value);
      } catch (error) {
        failures.push({
          message: `audit annotation '${key}' resulted in error: ${(error as Error).message}`,
          index,
          isError: true,
        });
      }
    }
  }
}
