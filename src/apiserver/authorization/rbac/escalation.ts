import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../../../api/types/rbac.v1.gen.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { forbidden, notFound } from '../../../apimachinery/status-error.ts';
import type { AuthorizationAttributes, Authorizer } from '../../../sdk/authorization.ts';
import { SYSTEM_MASTERS, type UserInfo } from '../../../sdk/user.ts';
import type { RbacAuthorizer } from './rbac-authorizer.ts';
import { roleRefKey } from './rbac-index.ts';
import { compactRights, describeRule, missingRights, quoteAll } from './rule-coverage.ts';

export interface EscalationChecks {
  readonly rbac: RbacAuthorizer;
  /** The whole chain: asked for the verbs `escalate` and `bind`. */
  readonly authorizer: Authorizer;
}

const GROUP = 'rbac.authorization.k8s.io';
const FULL_AUTHORITY: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** Nobody makes a role with rights that they do not hold, unless they may `escalate`. Throws StatusError. */
export async function checkRoleEscalation(
  checks: EscalationChecks,
  user: UserInfo,
  role: Role | ClusterRole,
  old?: Role | ClusterRole,
): Promise<void> {
  if (user.groups.includes(SYSTEM_MASTERS)) return;
  const resource = role.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  const { name, namespace = '' } = role.metadata;
  if (old && onlyCollected(role, old)) return;
  if (await isAllowed(checks.authorizer, user, 'escalate', resource, namespace, name)) return;
  const held = checks.rbac.policyRules(user, namespace);
  confirmNoEscalation(user, held, role.rules ?? [], resource, name);
  // What it gathers is anything.
  if ((aggregates(role) || aggregates(old)) && missingRights(held.rules, FULL_AUTHORITY).length)
    throw forbidden({ group: GROUP, resource }, name, 'must have cluster-admin privileges to use the aggregationRule');
}

/** Nobody binds a role whose rights they do not hold, unless they may `bind` it. Throws StatusError. */
export async function checkBindingEscalation(
  checks: EscalationChecks,
  user: UserInfo,
  binding: RoleBinding | ClusterRoleBinding,
  old?: RoleBinding | ClusterRoleBinding,
): Promise<void> {
  if (user.groups.includes(SYSTEM_MASTERS)) return;
  if (old && onlyCollected(binding, old)) return;
  const resource = binding.kind === 'ClusterRoleBinding' ? 'clusterrolebindings' : 'rolebindings';
  const namespace = binding.kind === 'RoleBinding' ? (binding.metadata.namespace ?? '') : '';
  const { roleRef } = binding;
  const roleResource = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (await isAllowed(checks.authorizer, user, 'bind', roleResource, namespace, roleRef.name)) return;
  const role = checks.rbac.index.role(roleRefKey(roleRef, namespace));
  if (!role) throw notFound({ group: GROUP, resource: roleRef.kind.toLowerCase() }, roleRef.name);
  confirmNoEscalation(user, checks.rbac.policyRules(user, namespace), role.rules, resource, binding.metadata.name);
}

function confirmNoEscalation(
  user: UserInfo,
  held: { readonly rules: readonly PolicyRule[]; readonly errors: readonly string[] },
  wanted: readonly PolicyRule[],
  resource: string,
  name: string,
): void {
  const missing = missingRights(held.rules, wanted);
  if (missing.length === 0) return;
  const rights = [...new Set(compactRights(missing).map(describeRule))].sort();
  let why = `user ${JSON.stringify(user.name)} (groups=${quoteAll(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${rights.join('\n')}`;
  if (held.errors.length) why += `; resolution errors: [${held.errors.join(', ')}]`;
  throw forbidden({ group: GROUP, resource }, name, why);
}

async function isAllowed(
  authorizer: Authorizer,
  user: UserInfo,
  verb: string,
  resource: string,
  namespace: string,
  name: string,
): Promise<boolean> {
  const attributes: AuthorizationAttributes = {
    user,
    verb,
    resourceRequest: true,
    group: GROUP,
    version: 'v1',
    resource,
    subresource: '',
    namespace,
    name,
    path: '',
  };
  return (await authorizer.authorize(attributes)).decision === 'allow';
}

type PolicyObject = Role | ClusterRole | RoleBinding | ClusterRoleBinding;

const aggregates = (role: Role | ClusterRole | undefined) =>
  ((role as ClusterRole | undefined)?.aggregationRule?.clusterRoleSelectors?.length ?? 0) > 0;

/** Whether nothing has changed but what garbage collection changes. */
function onlyCollected(object: PolicyObject, old: PolicyObject): boolean {
  const rest = ({ metadata, ...body }: PolicyObject) => {
    const { ownerReferences: _, finalizers: __, managedFields: ___, resourceVersion: ____, ...kept } = metadata;
    return { ...body, metadata: kept };
  };
  return deepEqual(rest(object), rest(old));
}
