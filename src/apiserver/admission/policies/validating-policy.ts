import type { ValidatingAdmissionPolicySpec } from '../../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import { BudgetExceededError, budgetOf, evaluateWithin, POLICY_STEPS } from '../../cel/cost-budget.ts';
import type { Expression } from '../../cel/expression.ts';
import { typeNameOf } from '../../cel/library/formatting.ts';
import { compile } from '../../cel/match-conditions.ts';
import type { Budget } from '../../cel/meter.ts';
import type { RequestMatch } from '../matching/request-match.ts';
import { type BindingSpec, CompiledPolicy, PolicyConfigurationError, type PolicyServices } from './compiled-policy.ts';

const MAX_MESSAGE_BYTES = 5 * 1024;

/** A validation that does not hold, or could not be evaluated. */
export interface Failure {
  readonly message: string;
  readonly reason?: string;
  /** Of the validation. */
  readonly index: number;
  readonly isError: boolean;
  /** It is refused, whatever the binding makes of validations that fail. */
  readonly always?: boolean;
  /** It is the policy that is at fault, not the binding. */
  readonly ofPolicy?: boolean;
}

/** What an audit annotation of a policy is to say, by its key. */
export type Annotations = Map<string, string[]>;

interface CompiledValidation {
  readonly source: string;
  readonly expression: Expression | Error;
  readonly message: string | undefined;
  readonly messageExpression: Expression | Error | undefined;
  readonly reason: string | undefined;
}

export class ValidatingPolicy extends CompiledPolicy {
  readonly #validations: readonly CompiledValidation[];
  readonly #annotations: readonly {
    readonly key: string;
    readonly source: string;
    readonly expression: Expression | Error;
  }[];

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
      source: valueExpression,
      expression: compile(this.compiler, valueExpression),
    }));
  }

  /** Adds to `annotations`. */
  async failures(
    binding: BindingSpec,
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
    annotations: Annotations,
  ): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    try {
      for await (const evaluation of this.evaluations(binding, attributes, match, object)) {
        if (evaluation instanceof Error) failures.push({ message: evaluation.message, index: 0, isError: true });
        else failures.push(...(await this.#evaluate(evaluation.variables, annotations)));
      }
    } catch (error) {
      if (!(error instanceof PolicyConfigurationError)) throw error;
      const { message, ofPolicy } = error;
      failures.push({ message, index: 0, isError: true, always: true, ofPolicy });
    }
    return this.ignoresFailure ? failures.filter(({ isError }) => !isError) : failures;
  }

  /** An evaluation that runs out of its budget comes to that alone. */
  async #evaluate(variables: Record<string, unknown>, annotations: Annotations): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    const budget = budgetOf(POLICY_STEPS);
    try {
      for (const [index, validation] of this.#validations.entries()) {
        const failure = await this.#validate(validation, index, variables, budget);
        if (failure) failures.push(failure);
      }
      failures.push(...(await this.#annotate(variables, annotations)));
      return failures;
    } catch (error) {
      if (!(error instanceof BudgetExceededError)) throw error;
      return [{ message: error.message, index: 0, isError: true }];
    }
  }

  async #validate(
    validation: CompiledValidation,
    index: number,
    variables: Record<string, unknown>,
    budget: Budget,
  ): Promise<Failure | undefined> {
    const { expression, source, message, reason } = validation;
    if (expression instanceof Error)
      return { message: `compilation error: ${expression.message}`, index, isError: true };
    try {
      const result = await evaluateWithin(budget, expression, variables);
      if (result === true) return undefined;
    } catch (error) {
      if (error instanceof BudgetExceededError) throw error;
      return { message: `expression '${source}' resulted in error: ${(error as Error).message}`, index, isError: true };
    }
    const text =
      (await this.#messageOf(validation, variables, budget)) ||
      message?.trim() ||
      `failed expression: ${source.trim()}`;
    return { message: text, ...(reason ? { reason } : {}), index, isError: false };
  }

  async #messageOf(
    { messageExpression }: CompiledValidation,
    variables: Record<string, unknown>,
    budget: Budget,
  ): Promise<string | undefined> {
    if (!messageExpression || messageExpression instanceof Error) return undefined;
    try {
      const given = await evaluateWithin(budget, messageExpression, variables);
      const text = typeof given === 'string' ? given.trim() : '';
      return Buffer.byteLength(text) <= MAX_MESSAGE_BYTES && !text.includes('\n') ? text : undefined;
    } catch (error) {
      if (error instanceof BudgetExceededError) throw new BudgetExceededError();
      return undefined;
    }
  }

  async #annotate(variables: Record<string, unknown>, annotations: Annotations): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    const budget = budgetOf(POLICY_STEPS);
    for (const [index, { key, source, expression }] of this.#annotations.entries()) {
      const fail = (message: string) => failures.push({ message, index, isError: true, always: true });
      if (expression instanceof Error) {
        fail(`compilation error: ${expression.message}`);
        continue;
      }
      let value: unknown;
      try {
        value = await evaluateWithin(budget, expression, variables);
      } catch (error) {
        if (error instanceof BudgetExceededError) throw error;
        fail(`expression '${source}' resulted in error: ${(error as Error).message}`);
        continue;
      }
      if (typeof value === 'string') {
        const values = annotations.get(key) ?? [];
        const text = shortened(value.trim());
        if (text !== '' && !values.includes(text)) annotations.set(key, [...values, text]);
      } else if (value !== null) {
        fail(
          `valueExpression '${source}' resulted in unsupported return type: ${typeNameOf(value)}. Return type must be either string or null.`,
        );
      }
    }
    return failures;
  }
}

const MAX_ANNOTATION_BYTES = 10 * 1024;

function shortened(text: string): string {
  if (Buffer.byteLength(text) <= MAX_ANNOTATION_BYTES) return text;
  return Buffer.from(text).subarray(0, MAX_ANNOTATION_BYTES).toString();
}
