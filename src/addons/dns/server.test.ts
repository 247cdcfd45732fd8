import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { KubeObject } from '../../apimachinery/meta.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import type { Informer } from '../../client/informer.ts';
import { ClusterRecords, prepareInformers } from './records.ts';
import { DnsServer } from './server.ts';

/** As much of an informer as names need: get, list and indexes over fixed objects. */
function fixed<T extends KubeObject>(objects: readonly T[]): Informer<T> {
  const indexes = new Map<string, (object: T) => readonly string[]>();
  return {
    get: (key: string) => objects.find((object) => objectKey(object) === key),
    list: (namespace?: string) => objects.filter((object) => !namespace || object.metadata.namespace === namespace),
    addIndex: (name: string, keys: (object: T) => readonly string[]) => void indexes.set(name, keys),
    byIndex: (name: string, value: string) => objects.filter((object) => indexes.get(name)!(object).includes(value)),
  } as unknown as Informer<T>;
}

const service = (name: string, spec: object) =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec }) as unknown as Service;
const services = fixed([
  service('web', {
    clusterIP: '10.96.0.20',
    clusterIPs: ['10.96.0.20'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  }),
  service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }] }),
  service('many', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ port: 1 }] }),
  service('out', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' }),
]);
const slice = (name: string, endpoints: object[]) =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
    endpoints,
  }) as unknown as EndpointSlice;
const slices = fixed([
  slice('db', [
    { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.244.0.6'], conditions: { ready: true } },
    { addresses: ['10.244.0.7'], conditions: { ready: false } },
  ]),
  slice(
    'many',
    Array.from({ length: 200 }, (_, i) => ({ addresses: [`10.244.1.${i}`], conditions: { ready: true } })),
  ),
]);
prepareInformers({ services, slices });
const server = new DnsServer({
  records: new ClusterRecords({ services, slices, domain: 'cluster.local' }),
  upstreams: [],
  address: '127.0.0.1',
  port: 0,
  allowedRanges: ['127.0.0.0/8'],
  logger: silentLogger,
});
const resolver = new Resolver({ timeout: 1000, tries: 1 });

beforeAll(async () => {
  await server.start();
  resolver.setServers([`127.0.0.1:${server.port}`]);
});
afterAll(() => server.stop());

describe('cluster DNS', () => {
  it('answers for Services, headless Services and their hosts', async () => {
    expect(await resolver.resolve4('web.shop.svc.cluster.local')).toEqual(['10.96.0.20']);
    expect((await resolver.resolve4('DB.Shop.svc.cluster.local')).sort()).toEqual(['10.244.0.5', '10.244.0.6']);
    expect(await resolver.resolve4('db-0.db.shop.svc.cluster.local')).toEqual(['10.244.0.5']);
    expect(await resolver.resolve4('10-244-0-6.db.shop.svc.cluster.local')).toEqual(['10.244.0.6']);
    expect(await resolver.resolve4('10-1-2-3.shop.pod.cluster.local')).toEqual(['10.1.2.3']);
  });

  it('answers SRV and PTR', async () => {
    expect(await resolver.resolveSrv('_http._tcp.web.shop.svc.cluster.local')).toMatchObject([
      { name: 'web.shop.svc.cluster.local', port: 80 },
    ]);
    expect((await resolver.resolveSrv('_pg._tcp.db.shop.svc.cluster.local')).map((r) => r.name).sort()).toEqual([
      '10-244-0-6.db.shop.svc.cluster.local',
      'db-0.db.shop.svc.cluster.local',
    ]);
    expect(await resolver.resolvePtr('20.0.96.10.in-addr.arpa')).toEqual(['web.shop.svc.cluster.local']);
    expect(await resolver.resolvePtr('5.0.244.10.in-addr.arpa')).toEqual(['db-0.db.shop.svc.cluster.local']);
    expect(await resolver.resolveTxt('dns-version.cluster.local')).toEqual([['1.1.0']]);
  });

  it('follows ExternalName inside the cluster', async () => {
    expect(await resolver.resolveCname('out.shop.svc.cluster.local')).toEqual(['web.shop.svc.cluster.local']);
    expect(await resolver.resolve4('out.shop.svc.cluster.local')).toEqual(['10.96.0.20']);
  });

  it('tells a name that does not exist from one without such records', async () => {
    await expect(resolver.resolve4('no.shop.svc.cluster.local')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve6('web.shop.svc.cluster.local')).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolver.resolve4('example.com')).rejects.toMatchObject({ code: 'ESERVFAIL' });
  });

  it('sends long answers over TCP, as the truncation bit asks', async () => {
    expect(await resolver.resolve4('many.shop.svc.cluster.local')).toHaveLength(200);
  });

  it('survives hostile packets', async () => {
    const socket = createSocket('udp4');
    const send = (bytes: Buffer) => new Promise((resolve) => socket.send(bytes, server.port, '127.0.0.1', resolve));
    for (let i = 0; i < 200; i++)
      await send(Buffer.from(Array.from({ length: (i * 7) % 90 }, (_, j) => (i * 31 + j * 17) % 256)));
    // A name whose compression pointer points to itself.
    await send(Buffer.from('000101000001000000000000c00c00010001', 'hex'));
    socket.close();
    expect(await resolver.resolve4('web.shop.svc.cluster.local')).toEqual(['10.96.0.20']);
  });
});
