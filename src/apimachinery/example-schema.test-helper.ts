import type { FieldSchema, Schema } from './schema.ts';

/** Small schemas in the manner of Deployments and Pods, for tests. */

const string: Schema = { type: 'string' };
const int32: Schema = { type: 'int32' };
const stringMap: Schema = { type: 'map', items: () => string };

export function struct(
  name: string,
  fields: Record<string, Schema | FieldSchema>,
  extra: Partial<Schema> = {},
): Schema {
  const map = new Map(
    Object.entries(fields).map(([key, value]) => [key, 'schema' in value ? value : { schema: value }] as const),
  );
  return { type: 'object', name: `io.k8s.api.core.v1.${name}`, fields: () => map, ...extra };
}

export function listOf(items: Schema, extra: Partial<Schema> = {}): Schema {
  return { type: 'list', items: () => items, ...extra };
}

const merging = (key: string, ...keys: string[]): Partial<Schema> => ({
  listType: 'map',
  listMapKeys: keys.length > 0 ? keys : [key],
  patchStrategy: 'merge',
  patchMergeKey: key,
});

const port = struct('ContainerPort', {
  containerPort: { schema: int32, required: true },
  protocol: { schema: string, default: 'TCP' },
  name: string,
});
const env = struct('EnvVar', { name: { schema: string, required: true }, value: string });
const container = struct('Container', {
  name: { schema: string, required: true },
  image: string,
  args: listOf(string, { listType: 'atomic' }),
  ports: listOf(port, merging('containerPort', 'containerPort', 'protocol')),
  env: listOf(env, merging('name')),
  resources: struct('ResourceRequirements', { limits: { type: 'map', items: () => ({ type: 'quantity' }) } }),
});
const volume = struct('Volume', {
  name: { schema: string, required: true },
  emptyDir: struct('EmptyDirVolumeSource', { medium: string, sizeLimit: { type: 'quantity' } }),
  hostPath: struct('HostPathVolumeSource', { path: string }),
});
const podSpec = struct('PodSpec', {
  containers: { schema: listOf(container, merging('name')), required: true },
  volumes: listOf(volume, { ...merging('name'), patchStrategy: 'merge,retainKeys' }),
  nodeSelector: { ...stringMap, mapType: 'atomic' },
  hostNetwork: { type: 'boolean' },
  terminationGracePeriodSeconds: { type: 'int64' },
});
const metadata = struct('ObjectMeta', {
  name: string,
  namespace: string,
  uid: string,
  resourceVersion: string,
  generation: { type: 'int64' },
  creationTimestamp: { type: 'time' },
  labels: stringMap,
  annotations: stringMap,
  finalizers: listOf(string, { listType: 'set', patchStrategy: 'merge' }),
  managedFields: listOf({ type: 'rawObject' }, { listType: 'atomic' }),
});
const strategy = struct('DeploymentStrategy', {
  type: string,
  rollingUpdate: struct('RollingUpdateDeployment', { maxSurge: { type: 'intOrString' } }),
});

export const deploymentSchema = struct('Deployment', {
  apiVersion: string,
  kind: string,
  metadata,
  spec: struct('DeploymentSpec', {
    replicas: int32,
    selector: { schema: struct('LabelSelector', { matchLabels: stringMap }, { mapType: 'atomic' }), required: true },
    strategy: { ...strategy, patchStrategy: 'retainKeys' },
    template: { schema: struct('PodTemplateSpec', { metadata, spec: podSpec }), required: true },
  }),
  status: struct('DeploymentStatus', { replicas: int32 }),
});
