import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/types/rbac.v1.gen.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import {
  checkBindingEscalation,
  checkRoleEscalation,
  type EscalationChecks,
} from '../authorization/rbac/escalation.ts';

const RESOURCES = new Set(['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']);

/** Nobody grants rights that they do not hold themselves. Upstream keeps this check in the storage of these kinds. */
export function rbacEscalation(checks: EscalationChecks): AdmissionStep {
  return {
    name: 'RBACEscalation',
    handles: ({ operation, resource, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      subresource === '' &&
      resource.group === 'rbac.authorization.k8s.io' &&
      RESOURCES.has(resource.resource),
    async validate(attributes, object) {
      const old = attributes.operation === 'UPDATE' ? attributes.oldObject : undefined;
      // The request's namespace counts, should the object not name it yet.
      const written = {
        ...object,
        metadata: { ...object!.metadata, ...(attributes.namespace ? { namespace: attributes.namespace } : {}) },
      };
      if (attributes.resource.resource.endsWith('roles')) {
        await checkRoleEscalation(
          checks,
          attributes.user,
          written as unknown as Role | ClusterRole,
          old as unknown as Role | ClusterRole | undefined,
        );
      } else {
        const oldBinding = old as unknown as RoleBinding | ClusterRoleBinding | undefined;
        await checkBindingEscalation(
          checks,
          attributes.user,
          written as unknown as RoleBinding | ClusterRoleBinding,
          oldBinding,
        );
      }
    },
  };
}
