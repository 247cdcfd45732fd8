import type {
  MutatingAdmissionPolicyBindingSpec,
  MutatingAdmissionPolicySpec,
} from '../../../api/types/admissionregistration.v1.gen.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { StatusError } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { ConfiguredStep, DynamicAdmissionOptions } from '../configured-step.ts';
import { rejected } from '../rejection.ts';
import { BoundPolicies } from './bound-policies.ts';
import { PolicyConfigurationError } from './compiled-policy.ts';
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
        const denied: Denied[] = [];
        for (const { name, policy, bindings } of policies.all()) {
          if (state.round > 0 && !policy.reinvoked) continue;
          for (const binding of bindings)
            if (await apply(name, policy, binding, attributes, object, denied)) state.changed = true;
        }
        if (denied.length) throw denial(attributes, object as UnstructuredObject, denied);
      },
      reinvoke(attributes) {
        const state = rounds.get(attributes);
        return state !== undefined && state.round === 0 && state.changed;
      },
    },
  };
}

interface Denied {
  readonly message: string;
  readonly reason: string | undefined;
}

/** Adds to `denied`. */
async function apply(
  name: string,
  policy: MutatingPolicy,
  binding: { readonly name: string; readonly spec: MutatingAdmissionPolicyBindingSpec },
  attributes: AdmissionAttributes,
  object: Draft<UnstructuredObject>,
  denied: Denied[],
): Promise<boolean> {
  const errors: Error[] = [];
  let changed = false;
  try {
    const match = await policy.matches(attributes, object as UnstructuredObject);
    if (!match || !(await policy.binds(binding.spec, attributes, object as UnstructuredObject))) return false;
    changed = await policy.mutate(binding.spec, attributes, match, object, errors);
  } catch (error) {
    errors.push(error as Error);
  }
  if (policy.ignoresFailure) return changed;
  for (const error of errors) {
    const configuration = error instanceof PolicyConfigurationError;
    const who =
      configuration && error.ofPolicy ? `policy "${name}"` : `policy '${name}' with binding '${binding.name}'`;
    denied.push({ message: `${who} denied request: ${error.message}`, reason: configuration ? undefined : 'Invalid' });
  }
  return changed;
}

/** The first reason is the message; all are its causes. */
function denial(attributes: AdmissionAttributes, object: UnstructuredObject, denied: readonly Denied[]): StatusError {
  const { status } = rejected(attributes, object, 'admission request denied by policy');
  const [first] = denied;
  return new StatusError({
    ...status,
    ...(first?.reason ? { reason: first.reason } : {}),
    ...(first ? { message: first.message } : {}),
    details: { ...status.details, causes: denied.map(({ message }) => ({ message })) },
  });
}
