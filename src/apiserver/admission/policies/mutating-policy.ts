import type { MutatingAdmissionPolicySpec } from '../../../api/types/admissionregistration.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { mergeConfiguration } from '../../../apimachinery/managed-fields/configuration.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { applyJsonPatch } from '../../../apimachinery/patch/json-patch.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import { BudgetExceededError, budgetOf, evaluateWithin, POLICY_STEPS } from '../../cel/cost-budget.ts';
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

/** Of a policy and a binding on one request, by the name of a parameter. */
export interface MutationTurn {
  isDue(parameter: string): boolean;
  done(parameter: string, changed: boolean): void;
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
   * Each mutation sees what those before it made; one that fails leaves the object as it was. `turn` is asked before each
   * parameter whether it is its turn, and told afterwards whether anything changed. Adds to `errors`.
   */
  async mutate(
    binding: BindingSpec,
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: Draft<UnstructuredObject>,
    errors: Error[],
    turn: MutationTurn,
  ): Promise<void> {
    for await (const evaluation of this.evaluations(binding, attributes, match, object as UnstructuredObject)) {
      if (evaluation instanceof Error) {
        errors.push(evaluation);
        continue;
      }
      if (!turn.isDue(evaluation.parameter)) continue;
      let changed = false;
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
      turn.done(evaluation.parameter, changed);
    }
  }

  async #evaluate({ expression, source }: CompiledMutation, variables: Record<string, unknown>): Promise<unknown> {
    if (expression instanceof Error) throw new Error(`compilation error: ${expression.message}`);
    try {
      return celToJson(await evaluateWithin(budgetOf(POLICY_STEPS), expression, variables));
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
    if (type === 'JSONPatch') return draft(patched(before, result)) as Draft<UnstructuredObject>;
    if (!isDictionary(result)) throw new Error('an ApplyConfiguration expression must give an object');
    for (const fixed of ['apiVersion', 'kind'] as const) delete result[fixed];
    if (isDictionary(result.metadata))
      for (const name of Object.keys(result.metadata))
        if (!['labels', 'annotations', 'finalizers', 'ownerReferences'].includes(name))
          throw new Error(`invalid ApplyConfiguration: may not mutate metadata.${name}`);
    const schema = this.#kinds.byKind(kind.group, kind.version, kind.kind)?.schema;
    const atomic = schema ? atomicParts(result, schema, '') : [];
    if (atomic.length)
      throw new Error(
        `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic.join(', ')}`,
      );
    return draft(mergeConfiguration(before, result, schema)) as Draft<UnstructuredObject>;
  }
}

/** A patch of which a `test` fails changes nothing. */
function patched(before: UnstructuredObject, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw new Error('type mismatch: JSONPatchType.expression should evaluate to array');
  try {
    return applyJsonPatch(before, operations);
  } catch (error) {
    const { cause, message } = error as Error;
    const why = typeof cause === 'string' ? cause : message;
    if (why.endsWith(': test failed')) return before;
    throw new Error(`JSONPath: ${why}`);
  }
}

/** Where a configuration would replace as a whole what its author may have meant to add to. */
function atomicParts(value: unknown, schema: Schema, path: string): string[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    const own = schema.listType === 'map' || schema.listType === 'set' ? [] : [path];
    return items ? [...own, ...value.flatMap((item, index) => atomicParts(item, items(), `${path}[${index}]`))] : own;
  }
  if (!isDictionary(value)) return [];
  const own = schema.mapType === 'atomic' ? [path] : [];
  const fields = schema.fields?.();
  return [
    ...own,
    ...Object.keys(value).flatMap((name) => {
      const field = fields?.get(name)?.schema;
      return field ? atomicParts(value[name], field, `${path}.${name}`) : [];
    }),
  ];
}
