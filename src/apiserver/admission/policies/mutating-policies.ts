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
  const rounds = new WeakMap<AdmissionAttributes, Rounds>();
  return {
    upsert: (resource, object) => policies.upsert(resource, object),
    remove: (resource, object) => policies.remove(resource, object),
    step: {
      name: 'MutatingAdmissionPolicy',
      handles: (attributes) =>
        // A deletion has nothing to change.
        policies.all().length > 0 && attributes.operation !== 'DELETE' && !isExemptFromPolicies(attributes),
      async mutate(attributes, object) {
        const state = rounds.get(attributes) ?? new Rounds();
        rounds.set(attributes, state);
        state.begin(object);
        const denied: Denied[] = [];
        for (const { name, policy, bindings } of policies.all())
          for (const binding of bindings) await apply(name, policy, binding, attributes, object, denied, state);
        state.end(object);
        if (denied.length) throw denial(attributes, object as UnstructuredObject, denied);
      },
      reinvoke(attributes) {
        const state = rounds.get(attributes);
        return state?.isToBeRepeated ?? false;
      },
    },
  };
}

/** What one request has been through: the second round is for policies whose turn was before another change. */
class Rounds {
  #round = -1;
  #changed = false;
  /** As the policies left the object. */
  #left = '';
  /** Those that want another turn when something changes after theirs; and those for which something did. */
  #waiting = new Set<string>();
  readonly #due = new Set<string>();

  begin(object: unknown): void {
    this.#round++;
    if (this.#round > 0 && JSON.stringify(object) !== this.#left) this.#release();
  }

  end(object: unknown): void {
    this.#left = JSON.stringify(object);
  }

  get isToBeRepeated(): boolean {
    return this.#round === 0 && this.#changed;
  }

  isDue(key: string): boolean {
    return this.#round === 0 || this.#due.has(key);
  }

  done(key: string, changed: boolean, reinvoked: boolean): void {
    if (changed) {
      this.#changed = true;
      this.#release();
    }
    if (reinvoked) this.#waiting.add(key);
  }

  #release(): void {
    for (const key of this.#waiting) this.#due.add(key);
    this.#waiting = new Set();
  }
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
  rounds: Rounds,
): Promise<void> {
  const errors: Error[] = [];
  const key = (parameter: string) => JSON.stringify([name, binding.name, parameter]);
  try {
    const match = await policy.matches(attributes, object as UnstructuredObject);
    if (!match || !(await policy.binds(binding.spec, attributes, object as UnstructuredObject))) return;
    await policy.mutate(binding.spec, attributes, match, object, errors, {
      isDue: (parameter) => rounds.isDue(key(parameter)),
      done: (parameter, changed) => rounds.done(key(parameter), changed, policy.reinvoked),
    });
  } catch (error) {
    errors.push(error as Error);
  }
  if (policy.ignoresFailure) return;
  for (const error of errors) {
    const configuration = error instanceof PolicyConfigurationError;
    const who =
      configuration && error.ofPolicy ? `policy "${name}"` : `policy '${name}' with binding '${binding.name}'`;
    denied.push({ message: `${who} denied request: ${error.message}`, reason: configuration ? undefined : 'Invalid' });
  }
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
