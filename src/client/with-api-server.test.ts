import { expect, it } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { startTestApiServer } from '../apiserver/testing.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { createClient } from './create-client.ts';
import { createInformer } from './create-informer.ts';
import { discover } from './discovery.ts';
import { createHttpTransport } from './http-transport.ts';
import { ConfigMaps } from './resource-types.gen.ts';
import { selfSignedCertificate } from './testing/self-signed.ts';

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });

async function eventually(check: () => boolean): Promise<void> {
  const end = performance.now() + 8_000;
  while (!check()) {
    if (performance.now() > end) throw new Error(`did not happen: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

it('informers over HTTPS live through a restart of the server, with nothing lost and nothing twice', async () => {
  const store = openMemoryStore();
  const tls = await selfSignedCertificate();
  const start = (port: number) => startTestApiServer({ store, listen: { host: '127.0.0.1', port, tls } });
  let api = await start(0);
  const port = Number(new URL(api.url).port);
  const transport = createHttpTransport({ server: api.url, ca: tls.cert, logger: silentLogger, token: 'any' });
  const client = createClient(transport);
  const seen: string[] = [];
  const observe = (metadataOnly: boolean) => {
    const informer = createInformer(client, ConfigMaps, { namespace: 'default', metadataOnly, logger: silentLogger });
    informer.addHandler({
      onAdd: (object) => seen.push(`${metadataOnly} add ${object.metadata.name}`),
      onDelete: (object) => seen.push(`${metadataOnly} delete ${object.metadata.name}`),
    });
    informer.start();
    return informer;
  };
  const informers = [observe(false), observe(true)];
  try {
    await Promise.all(informers.map((informer) => informer.whenSynced()));
    await client.for(ConfigMaps).create(configMap('a'));
    await eventually(() => seen.filter((line) => line.includes('add a')).length === 2);
    expect(informers[1]?.get('default/a')?.kind).toBe('PartialObjectMetadata');
    await api.stop();
    api = await start(port);
    await api.client.for(ConfigMaps).create(configMap('b'));
    await api.client.for(ConfigMaps).delete({ namespace: 'default', name: 'a' });
    await eventually(() => seen.filter((line) => line.includes('delete a')).length === 2);
    await eventually(() => seen.filter((line) => line.includes('add b')).length === 2);
    expect(seen).toHaveLength(6);
    const { resources, failures } = await discover(client);
    expect(failures).toEqual([]);
    expect(resources.find(({ type }) => type.resource === 'deployments')?.type).toMatchObject({
      group: 'apps',
      version: 'v1',
      namespaced: true,
    });
  } finally {
    await Promise.all(informers.map((informer) => informer.stop()));
    await client.close();
    await api.stop();
    await store.close();
  }
});
