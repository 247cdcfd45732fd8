import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from '../../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { StatusError } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { ConfiguredStep, DynamicAdmissionOptions } from '../configured-step.ts';
import { rejected } from '../rejection.ts';
import { BoundPolicies, type BoundPolicy, type PolicyBinding } from './bound-policies.ts';
import { isExemptFromPolicies } from './policy-match.ts';
import { PolicyTypeChecker } from './policy-type-checker.ts';
import { type Annotations, type Failure, ValidatingPolicy } from './validating-policy.ts';

type Bound = BoundPolicy<ValidatingPolicy, ValidatingAdmissionPolicyBindingSpec>;
type Binding = PolicyBinding<ValidatingAdmissionPolicyBindingSpec>;

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

/** ValidatingAdmissionPolicies and their bindings as one admission step. */
export async function validatingPolicies(options: DynamicAdmissionOptions): Promise<ConfiguredStep> {
  const policies = new BoundPolicies<
    ValidatingAdmissionPolicySpec,
    ValidatingPolicy,
    ValidatingAdmissionPolicyBindingSpec
  >((spec) => new ValidatingPolicy(options, spec));
  const checker = new PolicyTypeChecker(options);
  return {
    upsert(resource, object) {
      policies.upsert(resource, object);
      if (resource.startsWith('validatingadmissionpolicies.'))
        checker.check(object as unknown as ValidatingAdmissionPolicy);
    },
    remove(resource, object) {
      policies.remove(resource, object);
      if (resource.startsWith('validatingadmissionpolicies.')) checker.forget(object.metadata.name);
    },
    step: {
      name: 'ValidatingAdmissionPolicy',
      handles: (attributes) => policies.all().length > 0 && !isExemptFromPolicies(attributes),
      async validate(attributes, object) {
        let denied: StatusError | undefined;
        const audited: object[] = [];
        for (const bound of policies.all()) {
          const refusal = await applyPolicy(bound, attributes, object, audited);
          denied ??= refusal;
        }
        if (audited.length)
          attributes.annotateAudit('validation.policy.admission.k8s.io/validation_failure', JSON.stringify(audited));
        if (denied) throw denied;
      },
    },
  };
}

/** Returns the refusal, if it comes to one; what is to be audited is added to `audited`. */
async function applyPolicy(
  bound: Bound,
  attributes: AdmissionAttributes,
  object: UnstructuredObject | undefined,
  audited: object[],
): Promise<StatusError | undefined> {
  const { policy } = bound;
  const match = await policy.matches(attributes, object);
  if (!match) return undefined;
  let denied: StatusError | undefined;
  const annotations: Annotations = new Map();
  for (const binding of bound.bindings) {
    if (!(await policy.binds(binding.spec, attributes, object))) continue;
    const failures = await policy.failures(binding.spec, attributes, match, object, annotations);
    for (const failure of failures) {
      const refusal = enforce(bound, binding, failure, attributes, object, audited);
      denied ??= refusal;
    }
  }
  for (const [key, values] of annotations) attributes.annotateAudit(`${bound.name}/${key}`, values.join(', '));
  return denied;
}

function enforce(
  bound: Bound,
  binding: Binding,
  failure: Failure,
  attributes: AdmissionAttributes,
  object: UnstructuredObject | undefined,
  audited: object[],
): StatusError | undefined {
  const actions = failure.always ? ['Deny'] : binding.spec.validationActions;
  let denied: StatusError | undefined;
  for (const action of actions) {
    if (action === 'Deny') denied = denial(bound.name, binding.name, failure, attributes, object);
    else if (action === 'Warn')
      attributes.warn(
        `Validation failed for ValidatingAdmissionPolicy '${bound.name}' with binding '${binding.name}': ${failure.message}`,
      );
    else if (action === 'Audit')
      audited.push({
        message: failure.message,
        policy: bound.name,
        binding: binding.name,
        expressionIndex: failure.index,
        validationActions: actions,
      });
  }
  return denied;
}

function denial(
  policy: string,
  binding: string,
  { message, reason = 'Invalid', ofPolicy }: Failure,
  attributes: AdmissionAttributes,
  object: UnstructuredObject | undefined,
): StatusError {
  const who = `ValidatingAdmissionPolicy '${policy}'${ofPolicy ? '' : ` with binding '${binding}'`}`;
  const text = `${who} denied request: ${message}`;
  const { status } = rejected(attributes, object, text);
  return new StatusError({
    ...status,
    reason,
    code: codes[reason] ?? 422,
    details: { ...status.details, causes: [{ message: text }] },
  });
}
