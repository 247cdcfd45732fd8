import type { MutatingAdmissionPolicySpec } from '../../../api/types/admissionregistration.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { mergeConfiguration } from '../../../apimachinery/managed-fields/configuration.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { applyJsonPatch } from '../../../apimachinery/patch/json-patch.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import { BudgetExceededError, evaluateWithin, POLICY_STEPS } from '../../cel/cost-budget.ts';
import type { Expression } from '../../cel/expression.ts';
import { compile } from '../../cel/match-conditions.ts';
import { celToJson } from '../../cel/values.ts';
import type { RequestMatch } from '../matching/request-match.ts';
import { replaceObject } from '../replace-object.ts';
import { type BindingSpec, CompiledPolicy, type PolicyServices } from './compiled-policy.ts';

interface CompiledMutation {
  readonly type: string;
  readonly source: string;
  readonly expression: Expression | Error;
}

export class MutatingPolicy extends CompiledPolicy {
  readonly reinvoked: boolean;
  readonly #mutations: readonly CompiledMutation[];
  readonly #kinds: PolicyServices['kinds'];

  constructor(services: PolicyServices, spec: MutatingAdmissionPolicySpec) {
    super(services, spec);
    this.#kinds = services.kinds;
    this.reinvoked = spec.reinvocationPolicy === 'IfNeeded';
    this.#mutations = (spec.mutations ?? []).map(({ patchType, applyConfiguration, jsonPatch }) => {
      const source = (patchType === 'JSONPatch' ? jsonPatch?.expression : applyConfiguration?.expression) ?? '';
      return { type: patchType, source, expression: compile(this.compiler, source) };
    });
  }

  /**
   * Each mutation sees what those before it made; one that fails leaves the object as it was. Returns whether anything
   * changed; adds to `errors`.
   */
  async mutate(
    binding: BindingSpec,
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: Draft<UnstructuredObject>,
    errors: Error[],
  ): Promise<boolean> {
    let changed = false;
    for await (const evaluation of this.evaluations(binding, attributes, match, object as UnstructuredObject)) {
      if (evaluation instanceof Error) {
        errors.push(evaluation);
        continue;
      }
      let { variables } = evaluation;
      for (const mutation of this.#mutations) {
        try {
          const result = await this.#evaluate(mutation, variables);
          const done = await replaceObject(this.#kinds, attributes, match, object, (before) =>
            this.#apply(mutation, before, result, match),
          );
          if (!done) continue;
          changed = true;
          variables = await evaluation.again();
        } catch (error) {
          errors.push(error as Error);
        }
      }
    }
    return changed;
  }

  async #evaluate({ expression, source }: CompiledMutation, variables: Record<string, unknown>): Promise<unknown> {
    if (expression instanceof Error) throw new Error(`compilation error: ${expression.message}`);
    try {
      return celToJson(await evaluateWithin({ left: POLICY_STEPS }, expression, variables));
    } catch (error) {
      if (error instanceof BudgetExceededError) throw error;
      throw new Error(`expression '${source}' resulted in error: ${(error as Error).message}`);
    }
  }

  #apply(
    { type }: CompiledMutation,
    before: UnstructuredObject,
    result: unknown,
    { kind }: RequestMatch,
  ): Draft<UnstructuredObject> {
    if (type === 'JSONPatch') {
      if (!Array.isArray(result)) throw new Error('a JSONPatch expression must give a list of operations');
      return draft(applyJsonPatch(before, result)) as Draft<UnstructuredObject>;
    }
    if (!isDictionary(result)) throw new Error('an ApplyConfiguration expression must give an object');
    for (const fixed of ['apiVersion', 'kind'] as const) delete result[fixed];
    if (isDictionary(result.metadata))
      for (const name of Object.keys(result.metadata))
        if (!['labels', 'annotations', 'finalizers', 'ownerReferences'].includes(name))
          throw new Error(`invalid ApplyConfiguration: may not mutate metadata.${name}`);
    const schema = this.#kinds.byKind(kind.group, kind.version, kind.kind)?.schema;
    return draft(mergeConfiguration(before, result, schema)) as Draft<UnstructuredObject>;
  }
}
