import type {
  MutatingAdmissionPolicyBindingSpec,
  MutatingAdmissionPolicySpec,
} from '../../../api/types/admissionregistration.v1.gen.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { ConfiguredStep, DynamicAdmissionOptions } from '../configured-step.ts';
import { rejected } from '../rejection.ts';
import { BoundPolicies } from './bound-policies.ts';
import { MutatingPolicy } from './mutating-policy.ts';
import { isExemptFromPolicies } from './policy-match.ts';

/** MutatingAdmissionPolicies and their bindings as one admission step. */
export async function mutatingPolicies(options: DynamicAdmissionOptions): Promise<ConfiguredStep> {
  const policies = new BoundPolicies<MutatingAdmissionPolicySpec, MutatingPolicy, MutatingAdmissionPolicyBindingSpec>(
    (spec) => new MutatingPolicy(options, spec),
  );
  const rounds = new WeakMap<AdmissionAttributes, { round: number; changed: boolean }>();
  return {
    upsert: (resource, object) => policies.upsert(resource, object),
    remove: (resource, object) => policies.remove(resource, object),
    step: {
      name: 'MutatingAdmissionPolicy',
      handles: (attributes) =>
        policies.all().length > 0 &&
        (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
        !isExemptFromPolicies(attributes),
      async mutate(attributes, object) {
        const state = rounds.get(attributes) ?? { round: -1, changed: false };
        rounds.set(attributes, state);
        state.round++;
        for (const { name, policy, bindings } of policies.all()) {
          if (state.round > 0 && !policy.reinvoked) continue;
          for (const binding of bindings)
            if (await apply(name, policy, binding, attributes, object)) state.changed = true;
        }
      },
      reinvoke(attributes) {
        const state = rounds.get(attributes);
        return state !== undefined && state.round === 0 && state.changed;
      },
    },
  };
}

async function apply(
  name: string,
  policy: MutatingPolicy,
  binding: { readonly name: string; readonly spec: MutatingAdmissionPolicyBindingSpec },
  attributes: AdmissionAttributes,
  object: Draft<UnstructuredObject>,
): Promise<boolean> {
  try {
    const match = await policy.matches(attributes, object as UnstructuredObject);
    if (!match || !(await policy.binds(binding.spec, attributes, object as UnstructuredObject))) return false;
    return await policy.mutate(binding.spec, attributes, match, object);
  } catch (error) {
    if (policy.ignoresFailure) return false;
    const message = isStatusError(error) ? error.message : (error as Error).message;
    throw rejected(
      attributes,
      object as UnstructuredObject,
      `policy '${name}' with binding '${binding.name}' denied request: ${message}`,
    );
  }
}
