import {
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { defineKind } from '../define.ts';
import { repeatedIndexes } from '../field-checks.ts';
import type { ValidatingAdmissionPolicyBinding } from '../types/admissionregistration.v1.gen.ts';
import { bindingColumns, validateBinding } from './policies.ts';
import { defaultMatchResources } from './rules.ts';

const path = FieldPath.of('spec', 'validationActions');
const actions = ['Audit', 'Deny', 'Warn'];

export const validatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => defaultMatchResources(spec?.matchResources),
  validate: ({ spec }) => [...validateBinding(spec ?? {}), ...validateActions(spec?.validationActions ?? [])],
  columns: bindingColumns,
});

function validateActions(given: readonly string[]): FieldError[] {
  if (given.length === 0) return [required(path, 'at least one validation action is required')];
  const repeated = repeatedIndexes(given);
  const errors = given.flatMap((action, index) => [
    ...(actions.includes(action) ? [] : [notSupported(path.index(index), action, actions)]),
    ...(repeated.has(index) ? [duplicate(path.index(index), action)] : []),
  ]);
  if (given.includes('Deny') && given.includes('Warn'))
    errors.push(
      invalidValue(
        path,
        given,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    );
  return errors;
}
