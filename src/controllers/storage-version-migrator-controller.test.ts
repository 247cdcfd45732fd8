import { afterEach, expect, it } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { EncryptionAtRest } from '../apiserver/encryption/encryption-at-rest.ts';
import { readEncryptionConfiguration } from '../apiserver/encryption/encryption-configuration.ts';
import { startTestApiServer } from '../apiserver/testing.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { createControllerManager } from './index.ts';
import { storageVersionMigratorController } from './storage-version-migrator-controller.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

it('stores everything anew after a change of the encryption, and says how it went', async () => {
  const rules = (provider: object) =>
    readEncryptionConfiguration({
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'EncryptionConfiguration',
      resources: [{ resources: ['secrets'], providers: [provider, { identity: {} }] }],
    });
  const transformer = new EncryptionAtRest({ openKms: () => Promise.reject(new Error('no KMS here')) });
  await transformer.use(rules({ identity: {} }));
  const store = openMemoryStore();
  const api = await startTestApiServer({ store, transformer });
  ends.push(() => api.stop());
  const informers = createInformerFactory(api.client, { logger: silentLogger });
  ends.push(() => informers.stop());
  const manager = createControllerManager({
    client: api.client,
    informers,
    logger: silentLogger,
    controllers: [storageVersionMigratorController()],
  });
  await manager.start();
  ends.push(() => manager.stop());

  for (let i = 0; i < 1100; i++)
    await api.client.request({
      method: 'POST',
      path: '/api/v1/namespaces/default/secrets',
      body: { metadata: { name: `s${i}` } },
    });
  const encrypted = async () => {
    const { kvs } = await store.range({ start: '/registry/core/secrets/', end: '/registry/core/secrets0' });
    return kvs.filter(({ value }) => Buffer.from(value).toString('latin1').startsWith('k8s:enc:aesgcm:v1:a:')).length;
  };
  await transformer.use(rules({ aesgcm: { keys: [{ name: 'a', secret: Buffer.alloc(32, 1).toString('base64') }] } }));
  expect(await encrypted()).toBe(0);

  const path = '/apis/storagemigration.k8s.io/v1beta1/storageversionmigrations';
  const begin = (name: string, resource: object) =>
    api.client.request({ method: 'POST', path, body: { metadata: { name }, spec: { resource } } });
  const conditions = async (name: string) => {
    const { body } = await api.client.request<{ status?: { conditions?: { type: string; status: string }[] } }>({
      method: 'GET',
      path: `${path}/${name}`,
    });
    return body.status?.conditions?.map(({ type, status }) => `${type}=${status}`).sort();
  };
  await expect(begin('nothing', { group: 'apps' })).rejects.toThrow(
    'spec.resource.resource: Required value: resource is required to be set',
  );
  await begin('secrets', { group: '', resource: 'secrets' });
  await expect.poll(() => conditions('secrets'), { timeout: 10_000 }).toEqual(['Running=False', 'Succeeded=True']);
  expect(await encrypted()).toBe(1100);
});
