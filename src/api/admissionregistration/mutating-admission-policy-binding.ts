import { FieldPath } from '../../apimachinery/field.ts';
import { defineKind } from '../define.ts';
import type { MutatingAdmissionPolicyBinding } from '../types/admissionregistration.v1.gen.ts';
import { bindingColumns, validateBinding } from './policies.ts';
import { defaultMatchResources, validateMutatingOperations } from './rules.ts';

export const mutatingAdmissionPolicyBinding = defineKind<MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingAdmissionPolicyBinding',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => defaultMatchResources(spec?.matchResources),
  validate: ({ spec }) => [
    ...validateBinding(spec ?? {}),
    ...validateMutatingOperations(FieldPath.of('spec', 'matchResources'), spec?.matchResources?.resourceRules),
  ],
  columns: bindingColumns,
});
