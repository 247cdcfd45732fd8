import {
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  VersionApi,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../support/embedded-cluster.ts';
import { eventually } from '../support/eventually.ts';

describe('@kubernetes/client-node', () => {
  let embedded: EmbeddedCluster;
  const config = new KubeConfig();
  let core: CoreV1Api;
  const namespace = 'default';
  const configMap = (name: string, data: Record<string, string> = {}): V1ConfigMap => ({
    metadata: { name, labels: { suite: 'client-node' } },
    data,
  });

  beforeAll(async () => {
    embedded = await startEmbedded();
    config.loadFromString(embedded.cluster.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });
  afterAll(() => embedded.stop());

  it('creates, reads, replaces, lists and deletes with the typed client', async () => {
    expect((await config.makeApiClient(VersionApi).getCode()).minor).toBe('36');
    const created = await core.createNamespacedConfigMap({ namespace, body: configMap('typed', { a: '1' }) });
    expect(created.metadata?.creationTimestamp).toBeInstanceOf(Date);
    const replaced = await core.replaceNamespacedConfigMap({
      namespace,
      name: 'typed',
      body: { ...created, data: { a: '2' } },
    });
    expect(replaced.data).toEqual({ a: '2' });
    await expect(
      core.replaceNamespacedConfigMap({ namespace, name: 'typed', body: { ...created, data: { a: '3' } } }),
    ).rejects.toMatchObject({ code: 409 });
    const { items } = await core.listNamespacedConfigMap({ namespace, labelSelector: 'suite=client-node', limit: 10 });
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['typed']);
    await core.deleteNamespacedConfigMap({ namespace, name: 'typed' });
    await expect(core.readNamespacedConfigMap({ namespace, name: 'typed' })).rejects.toMatchObject({ code: 404 });
  });

  it('patches in the four ways', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: 'patched' };
    const body = {
      metadata: { name: 'patched' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
      },
    };
    await apps.createNamespacedDeployment({ namespace, body });
    const patch = (strategy: string, body: object, fieldManager?: string) =>
      apps.patchNamespacedDeployment(
        { namespace, name: 'patched', body, ...(fieldManager ? { fieldManager, force: true } : {}) },
        setHeaderOptions('Content-Type', strategy),
      );
    await patch(PatchStrategy.StrategicMergePatch, {
      spec: { template: { spec: { containers: [{ name: 'b', image: 'b:1' }] } } },
    });
    await patch(PatchStrategy.JsonPatch, [
      { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'c:1' },
    ]);
    await patch(PatchStrategy.MergePatch, { metadata: { labels: { merged: 'yes' } } });
    const applied = await patch(
      PatchStrategy.ServerSideApply,
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'patched', annotations: { applied: 'yes' } } },
      'client-node',
    );
    expect(applied.metadata).toMatchObject({ labels: { merged: 'yes' }, annotations: { applied: 'yes' } });
    expect(applied.spec?.template.spec?.containers.map(({ image }) => image).sort()).toEqual(['a:1', 'c:1']);
    expect(applied.metadata?.managedFields?.map(({ manager }) => manager)).toContain('client-node');
  });

  it('works on any kind with the object client', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const object = { apiVersion: 'v1', kind: 'ConfigMap', ...configMap('object', { a: '1' }) };
    await objects.create(object);
    await objects.patch({ ...object, data: { b: '2' } });
    expect(
      await objects.read({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'object', namespace } }),
    ).toMatchObject({ data: { a: '1', b: '2' } });
    await objects.delete({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'object', namespace } });
  });

  it('watches, and an informer follows', async () => {
    const events: string[] = [];
    const request = await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { labelSelector: 'suite=client-node' },
      (type, object: V1ConfigMap) => void events.push(`${type} ${object.metadata?.name}`),
      () => {},
    );
    const seen: string[] = [];
    const informer = makeInformer(
      config,
      `/api/v1/namespaces/${namespace}/configmaps`,
      () => core.listNamespacedConfigMap({ namespace, labelSelector: 'suite=client-node' }),
      'suite=client-node',
    );
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, (object) => seen.push(`${verb} ${object.metadata?.name}`));
    await informer.start();
    try {
      const created = await core.createNamespacedConfigMap({ namespace, body: configMap('watched') });
      await core.replaceNamespacedConfigMap({ namespace, name: 'watched', body: { ...created, data: { a: '1' } } });
      await core.deleteNamespacedConfigMap({ namespace, name: 'watched' });
      await eventually(
        () => {
          expect(events).toEqual(['ADDED watched', 'MODIFIED watched', 'DELETED watched']);
          expect(seen).toEqual(['add watched', 'update watched', 'delete watched']);
        },
        { timeoutMs: 5_000 },
      );
    } finally {
      await informer.stop();
      request.abort();
    }
  });
});
