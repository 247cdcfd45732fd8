import type { ClusterRole, ClusterRoleBinding } from '../api/types/rbac.v1.gen.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { BootstrapStep } from '../apiserver/bootstrap/bootstrap-objects.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, type UserInfo } from '../sdk/user.ts';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, SYSTEM_AUTHENTICATED] });

/** Who the components are, in the process and in their certificates. */
export const ADMIN = user('kubernetes-admin', SYSTEM_MASTERS);
export const CONTROLLER_MANAGER = user('system:kube-controller-manager');
export const SCHEDULER = user('system:kube-scheduler');
export const KUBE_PROXY = user('system:kube-proxy');
/** Knows where the nodes are: what a node itself may not ask. */
export const POD_NETWORK = user('system:k8ts:pod-network');
export const ADDONS = user('system:k8ts:addons');
export const PLUGIN_HOST = user('system:k8ts:plugin-host', SYSTEM_MASTERS);
export const nodeUser = (nodeName: string): UserInfo => user(`system:node:${nodeName}`, 'system:nodes');

/** What the add-ons of this process may do: publish DNS and metrics, serve ingresses and provision local volumes. */
const ADDONS_ROLE: ClusterRole = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: ADDONS.name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  rules: [
    { apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'] },
    { apiGroups: [''], resources: ['namespaces', 'nodes', 'pods', 'secrets'], verbs: ['get', 'list', 'watch'] },
    {
      apiGroups: ['discovery.k8s.io'],
      resources: ['endpointslices'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'],
    },
    { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['update', 'patch'] },
    { apiGroups: ['networking.k8s.io'], resources: ['ingressclasses'], verbs: ['get', 'list', 'watch', 'create'] },
    { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['get', 'list', 'watch', 'update', 'patch'] },
    { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'watch', 'create', 'delete', 'patch'] },
    { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list', 'watch', 'create'] },
    {
      apiGroups: ['apiregistration.k8s.io'],
      resources: ['apiservices'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'],
    },
    { apiGroups: [''], resources: ['nodes/stats', 'nodes/metrics', 'nodes/proxy'], verbs: ['get'] },
    { apiGroups: [''], resources: ['services'], resourceNames: ['metrics-server'], verbs: ['delete'] },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'update', 'patch'] },
  ],
};

/** Whoever may see pods may see what they use. */
const METRICS_READER_ROLE: ClusterRole = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: {
    name: 'system:aggregated-metrics-reader',
    labels: {
      'k8s-app': 'metrics-server',
      'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
      'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
      'rbac.authorization.k8s.io/aggregate-to-view': 'true',
    },
  },
  rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }],
};

/** Of a component to the role of its name. */
const bindingOf = ({ name }: UserInfo): ClusterRoleBinding => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
});

const POD_NETWORK_ROLE: ClusterRole = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: POD_NETWORK.name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] }],
};

/** An agent holds the node's credentials alone; its kube-proxy and its pod network act through them as who they are. */
const NODE_COMPONENTS_ROLE: ClusterRole = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'k8ts:node-components', labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  rules: [
    {
      apiGroups: [''],
      resources: ['users'],
      resourceNames: [KUBE_PROXY.name, POD_NETWORK.name],
      verbs: ['impersonate'],
    },
  ],
};

/** What agents need, when they join with bootstrap tokens and later as nodes. */
const NODE_BINDINGS: readonly ClusterRoleBinding[] = [
  bindingToGroup(NODE_COMPONENTS_ROLE.metadata.name, NODE_COMPONENTS_ROLE.metadata.name, 'system:nodes'),
  bindingToGroup('k8ts:node-bootstrapper', 'system:node-bootstrapper', 'system:bootstrappers'),
  bindingToGroup(
    'k8ts:node-autoapprove-bootstrap',
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    'system:bootstrappers',
  ),
  bindingToGroup(
    'k8ts:node-autoapprove-certificate-rotation',
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    'system:nodes',
  ),
];

/** All controllers run under one identity, which so needs the sum of their roles; garbage collection alone needs everything. */
const CONTROLLER_MANAGER_BINDING: ClusterRoleBinding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'k8ts:kube-controller-manager', labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: CONTROLLER_MANAGER.name }],
};

export const clusterRoles: BootstrapStep = {
  name: 'k8ts/cluster-roles',
  async run(transport) {
    const path = '/apis/rbac.authorization.k8s.io/v1';
    for (const role of [ADDONS_ROLE, METRICS_READER_ROLE, POD_NETWORK_ROLE, NODE_COMPONENTS_ROLE])
      await ensure(transport, `${path}/clusterroles`, role);
    await Promise.all(
      [bindingOf(ADDONS), bindingOf(POD_NETWORK), CONTROLLER_MANAGER_BINDING, ...NODE_BINDINGS].map((binding) =>
        ensure(transport, `${path}/clusterrolebindings`, binding),
      ),
    );
  },
};

/** What exists stays as it is: an administrator may have changed it. */
async function ensure(transport: Transport, path: string, body: object): Promise<void> {
  await transport.request({ method: 'POST', path, body }).catch((error) => {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  });
}

function bindingToGroup(name: string, role: string, group: string): ClusterRoleBinding {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  };
}
