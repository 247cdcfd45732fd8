import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { startTestApiServer, type TestApiServer } from '../apiserver/testing.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import {
  ConfigMaps,
  EndpointSlices,
  Endpoints,
  Namespaces,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  PodDisruptionBudgets,
  Pods,
  ReplicaSets,
  ResourceQuotas,
  ServiceAccounts,
  Services,
} from '../client/resource-types.gen.ts';
import { builtinControllers, type ControllerManager, createControllerManager } from './index.ts';
import { ignoreNotFound } from './parallel.ts';

let api: TestApiServer;
let informers: InformerFactory;
let manager: ControllerManager;
const logged: string[] = [];

beforeEach(async () => {
  logged.length = 0;
  const note = (fields: object, message?: string) =>
    void logged.push(`${message} ${String((fields as { err?: Error }).err?.message ?? '')} ${JSON.stringify(fields)}`);
  const logger = { ...silentLogger, warn: note, error: note, child: () => logger };
  api = await startTestApiServer();
  informers = createInformerFactory(api.client, { logger });
  manager = createControllerManager({
    client: api.client,
    informers,
    logger,
    controllers: builtinControllers({ rootCa: 'PEM' }),
  });
  await manager.start();
});
afterEach(async () => {
  await manager.stop();
  await informers.stop();
  await api.stop();
});

async function eventually<T>(check: () => Promise<T | undefined | false>, timeoutMs = 3_000): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`did not happen: ${check}\n${logged.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} });
const configMap = (name: string, ns: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: ns, ...extra },
});
const pod = (name: string, ns: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: ns, labels: { app: 'web' }, ...extra },
  spec: { containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 80 }] }] },
});

describe('the controllers against the API server', () => {
  it('give a new namespace its objects, and empty it when it is deleted', async () => {
    const { client } = api;
    await client.for(Namespaces).create(namespace('team'));
    await eventually(() =>
      client.for(ServiceAccounts).get({ namespace: 'team', name: 'default' }).catch(ignoreNotFound),
    );
    await eventually(() =>
      client.for(ConfigMaps).get({ namespace: 'team', name: 'kube-root-ca.crt' }).catch(ignoreNotFound),
    );
    await client.for(ConfigMaps).create(configMap('a', 'team'));
    await client.for(Namespaces).delete({ name: 'team' });
    await eventually(async () => !(await client.for(Namespaces).get({ name: 'team' }).catch(ignoreNotFound)));
    expect((await client.for(ConfigMaps).list({ namespace: 'team' })).items).toEqual([]);
    expect(logged).toEqual([]);
  });

  it('collect garbage in the background, in the foreground, and orphan', async () => {
    const { client } = api;
    await client.for(Namespaces).create(namespace('gc'));
    for (const policy of ['Background', 'Foreground', 'Orphan'] as const) {
      const name = policy.toLowerCase();
      const owner = await client.for(ConfigMaps).create(configMap(name, 'gc'));
      const ownerReferences = [
        { apiVersion: 'v1', kind: 'ConfigMap', name, uid: owner.metadata.uid, blockOwnerDeletion: true },
      ];
      await client.for(Pods).create(pod(name, 'gc', { ownerReferences }) as never);
      await client.for(ConfigMaps).delete({ namespace: 'gc', name }, { propagationPolicy: policy });
      await eventually(
        async () => !(await client.for(ConfigMaps).get({ namespace: 'gc', name }).catch(ignoreNotFound)),
      );
      if (policy !== 'Orphan')
        await eventually(async () => !(await client.for(Pods).get({ namespace: 'gc', name }).catch(ignoreNotFound)));
    }
    const orphan = await client.for(Pods).get({ namespace: 'gc', name: 'orphan' });
    expect(orphan.metadata.ownerReferences ?? []).toEqual([]);
  });

  it('serve Services, nodes, volumes, budgets and quotas', async () => {
    const { client } = api;
    await client.for(Namespaces).create(namespace('app'));
    await client.for(Nodes).create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {} });
    await eventually(async () => (await client.for(Nodes).get({ name: 'n1' })).spec?.podCIDR === '10.244.0.0/24');
    await client.for(Services).create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'app' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    });
    const created = await client.for(Pods).create(pod('p', 'app') as never);
    await client.for(Pods).updateStatus({
      ...created,
      status: {
        phase: 'Running',
        podIP: '10.244.0.2',
        podIPs: [{ ip: '10.244.0.2' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
    await eventually(async () => {
      const endpoints = await client.for(Endpoints).get({ namespace: 'app', name: 'web' }).catch(ignoreNotFound);
      return endpoints?.subsets?.[0]?.addresses?.[0]?.ip === '10.244.0.2';
    });
    await eventually(async () => {
      const { items } = await client.for(EndpointSlices).list({ namespace: 'app' });
      return items.length === 1 && items[0]?.endpoints?.[0]?.conditions?.ready;
    });
    await client.for(PersistentVolumes).create({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'v' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 's',
        hostPath: { path: '/x' },
      },
    });
    await client.for(PersistentVolumeClaims).create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'c', namespace: 'app' },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 's', resources: { requests: { storage: '1Gi' } } },
    });
    await eventually(async () => {
      const claim = await client.for(PersistentVolumeClaims).get({ namespace: 'app', name: 'c' });
      return claim.status?.phase === 'Bound';
    });
    await client.for(PodDisruptionBudgets).create({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b', namespace: 'app' },
      spec: { selector: { matchLabels: { app: 'web' } }, minAvailable: 1 },
    });
    await eventually(async () => {
      const budget = await client.for(PodDisruptionBudgets).get({ namespace: 'app', name: 'b' });
      return budget.status?.currentHealthy === 1 && budget.status.disruptionsAllowed === 0;
    });
    await client.for(ResourceQuotas).create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q', namespace: 'app' },
      spec: { hard: { pods: '5', 'count/replicasets.apps': '1' } },
    });
    await eventually(async () => {
      const quota = await client.for(ResourceQuotas).get({ namespace: 'app', name: 'q' });
      return quota.status?.used?.pods === '1' && quota.status.used['count/replicasets.apps'] === '0';
    });
    await client.for(Namespaces).delete({ name: 'app' });
    await eventually(async () => !(await client.for(Namespaces).get({ name: 'app' }).catch(ignoreNotFound)));
    await eventually(async () => (await client.for(PersistentVolumes).get({ name: 'v' })).status?.phase === 'Released');
    expect((await client.for(ReplicaSets).list()).items).toEqual([]);
  });
});
