import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import type { CustomResourceDefinition } from '../types/apiextensions.v1.gen.ts';

/** Groups of the Kubernetes community need a word that the API was reviewed. */
export const approvalAnnotation = 'api-approved.kubernetes.io';

export type ApprovalState = 'approved' | 'bypassed' | 'missing' | 'invalid';

export function isProtectedGroup(group: string): boolean {
  return ['k8s.io', 'kubernetes.io'].some((domain) => group === domain || group.endsWith(`.${domain}`));
}

/** With the reason, in the words of the KubernetesAPIApprovalPolicyConformant condition. */
export function approvalState({ metadata }: CustomResourceDefinition): { state: ApprovalState; reason: string } {
  const value = metadata.annotations?.[approvalAnnotation] ?? '';
  const must = `protected groups must have approval annotation ${JSON.stringify(approvalAnnotation)}`;
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111';
  if (value === '') return { state: 'missing', reason: `${must}, ${see}` };
  if (URL.canParse(value) && new URL(value).host !== '') return { state: 'approved', reason: `approved in ${value}` };
  if (value.startsWith('unapproved')) return { state: 'bypassed', reason: `not approved: ${JSON.stringify(value)}` };
  return {
    state: 'invalid',
    reason: `${must} with either a URL or a reason starting with "unapproved", ${see}`,
  };
}

/** An update may leave things as bad as they were. */
export function validateApproval(crd: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  if (!isProtectedGroup(crd.spec?.group ?? '')) return [];
  const { state, reason } = approvalState(crd);
  if (old && approvalState(old).state === state) return [];
  const path = FieldPath.of('metadata', 'annotations').key(approvalAnnotation);
  if (state === 'missing') return [required(path, reason)];
  return state === 'invalid' ? [invalidValue(path, crd.metadata.annotations?.[approvalAnnotation], reason)] : [];
}
