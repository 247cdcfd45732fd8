import type { ConfigMap } from '../../api/types/core.v1.gen.ts';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { ClusterRoleBindings, ClusterRoles, ConfigMaps, RoleBindings, Roles } from '../../client/resource-types.gen.ts';
import type { ClusterConfig } from '../options.ts';

/** What a node has to know about its cluster; the server's options say it. */
export type NodeSettings = Pick<
  ClusterConfig,
  'serviceCIDR' | 'clusterCIDR' | 'clusterDomain' | 'kubernetesServiceIP'
> & {
  /** Absent when the cluster has no DNS. */
  readonly clusterDNS?: string;
};

const NAMESPACE = 'kube-system';
const NAME = 'k8ts-node-settings';
const KEYS = ['serviceCIDR', 'clusterCIDR', 'clusterDomain', 'kubernetesServiceIP', 'clusterDNS'] as const;
const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const RBAC = 'rbac.authorization.k8s.io';
const group = (name: string) => ({ apiGroup: RBAC, kind: 'Group', name });
const toRole = (kind: 'Role' | 'ClusterRole', name: string) => ({ apiGroup: RBAC, kind, name });

/** Puts the settings where nodes read them, and lets nodes do what they do here beyond Kubernetes' own roles. */
export async function publishNodeSettings(client: Client, settings: NodeSettings): Promise<void> {
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME, namespace: NAMESPACE },
    data: Object.fromEntries(KEYS.flatMap((key) => (settings[key] === undefined ? [] : [[key, settings[key]]]))),
  };
  const namespaced = { name: NAME, namespace: NAMESPACE, labels: LABELS };
  await Promise.all([
    client
      .for(ConfigMaps)
      .patch({ name: NAME, namespace: NAMESPACE }, 'apply', configMap, { fieldManager: 'k8ts', force: true }),
    client
      .for(Roles)
      .create({
        apiVersion: `${RBAC}/v1`,
        kind: 'Role',
        metadata: namespaced,
        rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [NAME], verbs: ['get'] }],
      })
      .catch(ignoreExisting),
    client
      .for(RoleBindings)
      .create({
        apiVersion: `${RBAC}/v1`,
        kind: 'RoleBinding',
        metadata: namespaced,
        roleRef: toRole('Role', NAME),
        subjects: [group('system:nodes')],
      })
      .catch(ignoreExisting),
    ...NODE_ROLES.map(async ({ name, subject, rules }) => {
      const metadata = { name, labels: LABELS };
      await client
        .for(ClusterRoles)
        .create({ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata, rules })
        .catch(ignoreExisting);
      await client
        .for(ClusterRoleBindings)
        .create({
          apiVersion: `${RBAC}/v1`,
          kind: 'ClusterRoleBinding',
          metadata,
          roleRef: toRole('ClusterRole', name),
          subjects: [group(subject)],
        })
        .catch(ignoreExisting);
    }),
  ]);
}

const NODE_ROLES = [
  // A joining host has to learn whether its name is taken.
  {
    name: 'k8ts:get-nodes',
    subject: 'system:bootstrappers',
    rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }],
  },
  // Every node makes and deletes its own local volumes; an admission step keeps it to those.
  {
    name: 'k8ts:node-local-path',
    subject: 'system:nodes',
    rules: [
      { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'watch', 'create', 'delete'] },
      { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list', 'watch'] },
    ],
  },
];

/** Throws CodedError when the server published none. */
export async function readNodeSettings(client: Client): Promise<NodeSettings> {
  let configMap: ConfigMap;
  try {
    configMap = await client.for(ConfigMaps).get({ name: NAME, namespace: NAMESPACE });
  } catch (cause) {
    if (!isStatusError(cause, 'NotFound')) throw cause;
    throw new CodedError(
      'SERVER_TAKES_NO_NODES',
      'the server has no settings for nodes',
      'Only `k8ts server` and `k8ts up` take agents; is it one of these, and of this version?',
      { cause },
    );
  }
  const { data = {} } = configMap;
  for (const key of KEYS) {
    if (!data[key] && key !== 'clusterDNS')
      throw new CodedError(
        'SERVER_TAKES_NO_NODES',
        `the server's settings for nodes lack ${key}`,
        `Restart the server: it writes the ConfigMap ${NAMESPACE}/${NAME} anew.`,
      );
  }
  return data as unknown as NodeSettings;
}

function ignoreExisting(error: unknown): void {
  if (!isStatusError(error, 'AlreadyExists')) throw error;
}
