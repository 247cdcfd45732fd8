import { approvalState, isProtectedGroup } from '../../api/apiextensions/approval.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionStatus,
} from '../../api/types/apiextensions.v1.gen.ts';
import type { NameDecision } from './names.ts';

type Condition = Pick<CustomResourceDefinitionCondition, 'type' | 'status' | 'reason' | 'message'>;

const established: Condition = {
  type: 'Established',
  status: 'True',
  reason: 'InitialNamesAccepted',
  message: 'the initial names have been accepted',
};
const notEstablished: Condition = {
  type: 'Established',
  status: 'False',
  reason: 'NotAccepted',
  message: 'not all names are accepted',
};

export const cleaningUp: Condition = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionInProgress',
  message: 'CustomResource deletion is in progress',
};
export const markedForDeletion: Condition = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionPending',
  message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
};

/** The status that a CRD should have, its names having been decided; the same object when it has it. */
export function statusOf(
  crd: CustomResourceDefinition,
  { acceptedNames, condition }: NameDecision,
  now: string,
): CustomResourceDefinitionStatus {
  const status = crd.status ?? {};
  let conditions = status.conditions ?? [];
  conditions = withCondition(conditions, condition, now);
  // Once served it stays so, whatever names it wants later.
  if (!isTrue(conditions, 'Established'))
    conditions = withCondition(conditions, condition.status === 'True' ? established : notEstablished, now);
  if (isProtectedGroup(crd.spec.group)) conditions = withCondition(conditions, approvalCondition(crd), now);
  if (conditions === status.conditions && sameNames(status.acceptedNames, acceptedNames)) return status;
  return { ...status, acceptedNames, conditions };
}

export function isTrue(conditions: readonly CustomResourceDefinitionCondition[], type: string): boolean {
  return conditions.some((condition) => condition.type === type && condition.status === 'True');
}

/** The same list when nothing changes. */
export function withCondition(
  conditions: readonly CustomResourceDefinitionCondition[],
  wanted: Condition,
  now: string,
): readonly CustomResourceDefinitionCondition[] {
  const index = conditions.findIndex(({ type }) => type === wanted.type);
  const old = conditions[index];
  if (!old) return [...conditions, { ...wanted, lastTransitionTime: now }];
  if (old.status === wanted.status && old.reason === wanted.reason && old.message === wanted.message) return conditions;
  const lastTransitionTime = old.status === wanted.status ? old.lastTransitionTime : now;
  return conditions.with(index, { ...wanted, ...(lastTransitionTime ? { lastTransitionTime } : {}) });
}

const approvalReasons = {
  approved: { status: 'True', reason: 'ApprovedAnnotation' },
  bypassed: { status: 'False', reason: 'UnapprovedAnnotation' },
  missing: { status: 'False', reason: 'MissingAnnotation' },
  invalid: { status: 'False', reason: 'InvalidAnnotation' },
} as const;

function approvalCondition(crd: CustomResourceDefinition): Condition {
  const { state, reason } = approvalState(crd);
  return { type: 'KubernetesAPIApprovalPolicyConformant', ...approvalReasons[state], message: reason };
}

function sameNames(a: object | undefined, b: object): boolean {
  const ordered = (names: object) => JSON.stringify(Object.entries(names).sort(([x], [y]) => (x < y ? -1 : 1)));
  return a !== undefined && ordered(a) === ordered(b);
}
