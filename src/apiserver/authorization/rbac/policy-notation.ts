import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../../api/types/rbac.v1.gen.ts';

/** How the default policy is written down: space-separated words, `core` for the core API group. */
export const READ = 'get list watch';
export const WRITE = 'create update patch delete deletecollection';
export const READ_WRITE = `${READ} ${WRITE}`;

const words = (text: string): readonly string[] => text.split(' ').sort();

export function allow(verbs: string, groups: string, resources: string, names?: string): PolicyRule {
  return {
    apiGroups: words(groups)
      .map((group) => (group === 'core' ? '' : group))
      .sort(),
    ...(names ? { resourceNames: words(names) } : {}),
    resources: words(resources),
    verbs: words(verbs),
  };
}

export const allowPaths = (paths: string): PolicyRule => ({ nonResourceURLs: words(paths), verbs: ['get'] });

export const allowEvents = (): PolicyRule => allow('create patch update', 'core events.k8s.io', 'events');

const API_VERSION = 'rbac.authorization.k8s.io/v1';

function metadataOf(name: string, namespace?: string, labels?: Readonly<Record<string, string>>) {
  return {
    name,
    ...(namespace ? { namespace } : {}),
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
}

export function clusterRole(
  name: string,
  rules: readonly PolicyRule[],
  labels?: Readonly<Record<string, string>>,
): ClusterRole {
  return { apiVersion: API_VERSION, kind: 'ClusterRole', metadata: metadataOf(name, undefined, labels), rules };
}

export function role(namespace: string, name: string, rules: readonly PolicyRule[]): Role {
  return { apiVersion: API_VERSION, kind: 'Role', metadata: metadataOf(name, namespace), rules };
}

export function clusterRoleBinding(name: string, subjects: readonly Subject[]): ClusterRoleBinding {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: metadataOf(name),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    ...(subjects.length ? { subjects } : {}),
  };
}

export function roleBinding(
  namespace: string,
  name: string,
  roleName: string,
  subjects: readonly Subject[],
): RoleBinding {
  return {
    apiVersion: API_VERSION,
    kind: 'RoleBinding',
    metadata: metadataOf(name, namespace),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: roleName },
    subjects,
  };
}

export const toUser = (name: string): Subject => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name });
export const toGroup = (name: string): Subject => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name });
export const toServiceAccount = (name: string): Subject => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' });
