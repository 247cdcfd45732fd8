import { type FieldError, FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { requiredOneOf } from '../field-checks.ts';
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicySpec,
  Mutation,
} from '../types/admissionregistration.v1.gen.ts';
import { paramKindText, validatePolicy } from './policies.ts';
import { defaultMatchResources, reinvocationPolicies } from './rules.ts';

const spec = FieldPath.of('spec');

export const mutatingAdmissionPolicy = defineKind<MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingAdmissionPolicy',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => {
    if (!spec) return;
    spec.failurePolicy ??= 'Fail';
    defaultMatchResources(spec.matchConstraints);
  },
  validate: (object, old) => [
    ...validatePolicy(object.spec ?? {}, old?.spec, true),
    ...validateMutations(object.spec ?? {}),
  ],
  columns: [
    nameColumn,
    column('Mutations', ({ spec }) => spec.mutations?.length ?? 0, {
      type: 'integer',
      description: 'Number of mutations',
    }),
    column('ParamKind', ({ spec }) => paramKindText(spec.paramKind), { description: 'Kind of the parameters' }),
    ageColumn,
  ],
});

function validateMutations({ mutations = [], reinvocationPolicy }: MutatingAdmissionPolicySpec): FieldError[] {
  const path = spec.child('mutations');
  return [
    ...(mutations.length === 0 ? [required(path, 'mutations must contain at least one item')] : []),
    ...mutations.flatMap((mutation, index) => validateMutation(path.index(index), mutation)),
    ...requiredOneOf(spec.child('reinvocationPolicy'), reinvocationPolicy, reinvocationPolicies),
  ];
}

function validateMutation(path: FieldPath, mutation: Mutation): FieldError[] {
  const { patchType } = mutation;
  if (!patchType) return [required(path.child('patchType'))];
  if (patchType !== 'JSONPatch' && patchType !== 'ApplyConfiguration')
    return [notSupported(path.child('patchType'), patchType, ['ApplyConfiguration', 'JSONPatch'])];
  const [wanted, other] =
    patchType === 'JSONPatch'
      ? (['jsonPatch', 'applyConfiguration'] as const)
      : (['applyConfiguration', 'jsonPatch'] as const);
  const errors: FieldError[] = [];
  if (!mutation[wanted]) errors.push(required(path.child(wanted), `must be specified when patchType is ${patchType}`));
  else if (!mutation[wanted].expression?.trim()) errors.push(required(path.child(wanted, 'expression')));
  if (mutation[other])
    errors.push(invalidValue(path.child(other), `{${other}}`, `must not be specified when patchType is ${patchType}`));
  return errors;
}
