import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../../../api/types/rbac.v1.gen.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, SYSTEM_UNAUTHENTICATED } from '../../../sdk/user.ts';
import { controllerRoleBindings, controllerRoles } from './controller-roles.ts';
import { NODE_RULES } from './node-rules.ts';
import {
  allow,
  allowEvents,
  allowPaths,
  clusterRole,
  clusterRoleBinding,
  READ,
  READ_WRITE,
  role,
  roleBinding,
  toGroup,
  toServiceAccount,
  toUser,
  WRITE,
} from './policy-notation.ts';

const AGGREGATE_TO = 'rbac.authorization.k8s.io/aggregate-to-';
const SCHEDULER = 'system:kube-scheduler';
const CONTROLLER_MANAGER = 'system:kube-controller-manager';

const viewRules: readonly PolicyRule[] = [
  allow(
    READ,
    'core',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
  ),
  allow(
    READ,
    'core',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
  ),
  allow(READ, 'core', 'namespaces'),
  allow(READ, 'discovery.k8s.io', 'endpointslices'),
  allow(
    READ,
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
  ),
  allow(READ, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
  allow(READ, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
  allow(
    READ,
    'extensions',
    'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale',
  ),
  allow(READ, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
  allow(READ, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
  allow(READ, 'resource.k8s.io', 'resourceclaims resourceclaims/status resourceclaimtemplates'),
];

const editRules: readonly PolicyRule[] = [
  allow(READ, 'core', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
  allow('impersonate', 'core', 'serviceaccounts'),
  allow(WRITE, 'core', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
  allow('create', 'core', 'pods/eviction'),
  allow(
    WRITE,
    'core',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
  ),
  allow('create', 'core', 'serviceaccounts/token'),
  allow(
    WRITE,
    'apps',
    'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
  ),
  allow(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
  allow(WRITE, 'batch', 'cronjobs jobs'),
  allow(
    WRITE,
    'extensions',
    'daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale',
  ),
  allow(WRITE, 'policy', 'poddisruptionbudgets'),
  allow(WRITE, 'networking.k8s.io', 'ingresses networkpolicies'),
  allow(READ_WRITE, 'coordination.k8s.io', 'leases'),
  allow(WRITE, 'resource.k8s.io', 'resourceclaims resourceclaimtemplates'),
];

const adminRules: readonly PolicyRule[] = [
  allow('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
  allow(READ_WRITE, 'rbac.authorization.k8s.io', 'rolebindings roles'),
];

const schedulerRules: readonly PolicyRule[] = [
  allowEvents(),
  allow('create list watch', 'coordination.k8s.io', 'leases'),
  allow('get update', 'coordination.k8s.io', 'leases', 'kube-scheduler'),
  allow('create delete deletecollection get list patch update watch', 'coordination.k8s.io', 'leasecandidates'),
  allow(READ, 'core', 'nodes'),
  allow(`${READ} delete`, 'core', 'pods'),
  allow('create', 'core', 'bindings pods/binding'),
  allow('patch update', 'core', 'pods/status'),
  allow(READ, 'core', 'replicationcontrollers services'),
  allow(READ, 'apps extensions', 'replicasets'),
  allow(READ, 'apps', 'statefulsets'),
  allow(READ, 'policy', 'poddisruptionbudgets'),
  allow(READ, 'core', 'persistentvolumeclaims persistentvolumes'),
  allow('create', 'authentication.k8s.io', 'tokenreviews'),
  allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  allow(READ, 'storage.k8s.io', 'csinodes'),
  allow(READ, 'storage.k8s.io', 'volumeattachments'),
  allow(READ, 'core', 'namespaces'),
  allow(READ, 'storage.k8s.io', 'csidrivers'),
  allow(READ, 'storage.k8s.io', 'csistoragecapacities'),
  allow(READ, 'resource.k8s.io', 'deviceclasses'),
  allow(`${READ} patch update`, 'resource.k8s.io', 'resourceclaims'),
  allow(`${READ} patch update`, 'resource.k8s.io', 'resourceclaims/status'),
  allow('update', 'core', 'pods/finalizers'),
  allow(READ, 'resource.k8s.io', 'resourceslices'),
  allow('create delete', 'resource.k8s.io', 'resourceclaims'),
  allow('patch update', 'resource.k8s.io', 'resourceclaims/binding'),
];

const controllerManagerRules: readonly PolicyRule[] = [
  allowEvents(),
  allow('create list watch', 'coordination.k8s.io', 'leases'),
  allow('get update', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
  allow('create delete deletecollection get list patch update watch', 'coordination.k8s.io', 'leasecandidates'),
  allow('create', 'core', 'secrets serviceaccounts'),
  allow('delete', 'core', 'secrets'),
  allow('get', 'core', 'configmaps namespaces secrets serviceaccounts'),
  allow('update', 'core', 'secrets serviceaccounts'),
  allow('create', 'authentication.k8s.io', 'tokenreviews'),
  allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  allow('list watch', '*', '*'),
  allow('create', 'core', 'serviceaccounts/token'),
];

const approver = (signer: string) =>
  clusterRole(`system:certificates.k8s.io:${signer}-approver`, [
    allow('approve', 'certificates.k8s.io', 'signers', `kubernetes.io/${signer}`),
  ]);
const requester = (subresource: string) =>
  clusterRole(`system:certificates.k8s.io:certificatesigningrequests:${subresource}`, [
    allow('create', 'certificates.k8s.io', `certificatesigningrequests/${subresource}`),
  ]);

/** `admin`, `edit` and `view` get the rules of the roles labelled for them; what the aggregation controller would find is there at once. */
function aggregated(
  name: string,
  parts: readonly (readonly PolicyRule[])[],
  labels?: Readonly<Record<string, string>>,
): ClusterRole {
  return {
    ...clusterRole(name, parts.flat(), labels),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${AGGREGATE_TO}${name}`]: 'true' } }] },
  };
}

export function defaultClusterRoles(): readonly ClusterRole[] {
  const into = (name: string) => ({ [`${AGGREGATE_TO}${name}`]: 'true' });
  const edit = [...editRules, ...viewRules];
  return [
    clusterRole('cluster-admin', [allow('*', '*', '*'), { nonResourceURLs: ['*'], verbs: ['*'] }]),
    clusterRole('system:discovery', [
      allowPaths('/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/'),
    ]),
    clusterRole('system:monitoring', [
      allowPaths('/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*'),
      allow('get', 'core', 'nodes/metrics'),
    ]),
    clusterRole('system:basic-user', [
      allow('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
      allow('create', 'authentication.k8s.io', 'selfsubjectreviews'),
    ]),
    clusterRole('system:public-info-viewer', [allowPaths('/healthz /livez /readyz /version /version/')]),
    aggregated('admin', [edit, adminRules]),
    aggregated('edit', [editRules, viewRules], into('admin')),
    aggregated('view', [viewRules], into('edit')),
    clusterRole('system:aggregate-to-admin', adminRules, into('admin')),
    clusterRole('system:aggregate-to-edit', editRules, into('edit')),
    clusterRole('system:aggregate-to-view', viewRules, into('view')),
    clusterRole('system:heapster', [
      allow(READ, 'core', 'events namespaces nodes pods'),
      allow(READ, 'extensions', 'deployments'),
    ]),
    clusterRole('system:node', NODE_RULES),
    clusterRole('system:node-problem-detector', [
      allow('get', 'core', 'nodes'),
      allow('patch', 'core', 'nodes/status'),
      allowEvents(),
    ]),
    clusterRole('system:kubelet-api-admin', [
      allow(READ, 'core', 'nodes'),
      allow('proxy', 'core', 'nodes'),
      allow('*', 'core', 'nodes/log nodes/metrics nodes/proxy nodes/stats'),
      allow('*', 'core', 'nodes/configz nodes/healthz nodes/pods'),
    ]),
    clusterRole('system:node-bootstrapper', [
      allow(`${READ} create`, 'certificates.k8s.io', 'certificatesigningrequests'),
    ]),
    clusterRole('system:auth-delegator', [
      allow('create', 'authentication.k8s.io', 'tokenreviews'),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ]),
    clusterRole('system:kube-aggregator', [allow(READ, 'core', 'endpoints services')]),
    clusterRole(CONTROLLER_MANAGER, controllerManagerRules),
    clusterRole('system:kube-dns', [allow('list watch', 'core', 'endpoints services')]),
    clusterRole('system:persistent-volume-provisioner', [
      allow(`${READ} create delete`, 'core', 'persistentvolumes'),
      allow(`${READ} update`, 'core', 'persistentvolumeclaims'),
      allow(READ, 'storage.k8s.io', 'storageclasses'),
      allow('watch', 'core', 'events'),
      allowEvents(),
    ]),
    requester('nodeclient'),
    requester('selfnodeclient'),
    clusterRole('system:volume-scheduler', [
      allow(`${READ} update patch`, 'core', 'persistentvolumes'),
      allow(READ, 'storage.k8s.io', 'storageclasses'),
      allow(`${READ} update patch`, 'core', 'persistentvolumeclaims'),
    ]),
    approver('legacy-unknown'),
    approver('kubelet-serving'),
    approver('kube-apiserver-client'),
    approver('kube-apiserver-client-kubelet'),
    clusterRole('system:service-account-issuer-discovery', [
      allowPaths(
        '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
      ),
    ]),
    clusterRole('system:node-proxier', [
      allow('list watch', 'core', 'endpoints services'),
      allow(READ, 'core', 'nodes'),
      allowEvents(),
      allow('list watch', 'networking.k8s.io', 'servicecidrs'),
      allow('list watch', 'discovery.k8s.io', 'endpointslices'),
    ]),
    clusterRole(SCHEDULER, schedulerRules),
    ...controllerRoles(),
  ];
}

export function defaultClusterRoleBindings(): readonly ClusterRoleBinding[] {
  return [
    clusterRoleBinding('cluster-admin', [toGroup(SYSTEM_MASTERS)]),
    clusterRoleBinding('system:monitoring', [toGroup('system:monitoring')]),
    clusterRoleBinding('system:discovery', [toGroup(SYSTEM_AUTHENTICATED)]),
    clusterRoleBinding('system:basic-user', [toGroup(SYSTEM_AUTHENTICATED)]),
    clusterRoleBinding('system:public-info-viewer', [toGroup(SYSTEM_AUTHENTICATED), toGroup(SYSTEM_UNAUTHENTICATED)]),
    clusterRoleBinding('system:node-proxier', [toUser('system:kube-proxy')]),
    clusterRoleBinding(CONTROLLER_MANAGER, [toUser(CONTROLLER_MANAGER)]),
    clusterRoleBinding('system:kube-dns', [toServiceAccount('kube-dns')]),
    clusterRoleBinding(SCHEDULER, [toUser(SCHEDULER)]),
    clusterRoleBinding('system:volume-scheduler', [toUser(SCHEDULER)]),
    // Nodes get these rights from the node authorizer; the binding stays without subjects.
    clusterRoleBinding('system:node', []),
    clusterRoleBinding('system:service-account-issuer-discovery', [toGroup('system:serviceaccounts')]),
    ...controllerRoleBindings(),
  ];
}

const leaderLocking = (component: string) =>
  role('kube-system', `system::leader-locking-${component}`, [
    allow('create get list update watch', 'coordination.k8s.io', 'leases'),
    allow('create get list update watch', 'coordination.k8s.io', 'leasecandidates'),
  ]);

export function defaultRoles(): readonly Role[] {
  return [
    role('kube-system', 'extension-apiserver-authentication-reader', [
      allow(READ, 'core', 'configmaps', 'extension-apiserver-authentication'),
    ]),
    role('kube-system', 'system:controller:bootstrap-signer', [allow(READ, 'core', 'secrets')]),
    role('kube-system', 'system:controller:cloud-provider', [allow(`${READ} create`, 'core', 'configmaps')]),
    role('kube-system', 'system:controller:token-cleaner', [allow(`${READ} delete`, 'core', 'secrets'), allowEvents()]),
    leaderLocking('kube-controller-manager'),
    leaderLocking('kube-scheduler'),
    role('kube-public', 'system:controller:bootstrap-signer', [
      allow(READ, 'core', 'configmaps'),
      allow('update', 'core', 'configmaps', 'cluster-info'),
      allowEvents(),
    ]),
  ];
}

export function defaultRoleBindings(): readonly RoleBinding[] {
  const same = (namespace: string, name: string, subjects: Parameters<typeof roleBinding>[3]) =>
    roleBinding(namespace, name, name, subjects);
  return [
    roleBinding(
      'kube-system',
      'system::extension-apiserver-authentication-reader',
      'extension-apiserver-authentication-reader',
      [toUser(CONTROLLER_MANAGER), toUser(SCHEDULER)],
    ),
    same('kube-system', 'system:controller:bootstrap-signer', [toServiceAccount('bootstrap-signer')]),
    same('kube-system', 'system:controller:cloud-provider', [toServiceAccount('cloud-provider')]),
    same('kube-system', 'system:controller:token-cleaner', [toServiceAccount('token-cleaner')]),
    same('kube-system', 'system::leader-locking-kube-controller-manager', [
      toUser(CONTROLLER_MANAGER),
      toServiceAccount('kube-controller-manager'),
      toServiceAccount('leader-election-controller'),
    ]),
    same('kube-system', 'system::leader-locking-kube-scheduler', [
      toUser(SCHEDULER),
      toServiceAccount('kube-scheduler'),
    ]),
    same('kube-public', 'system:controller:bootstrap-signer', [toServiceAccount('bootstrap-signer')]),
  ];
}
