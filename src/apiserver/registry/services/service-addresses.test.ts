import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../../api/types/core.v1.gen.ts';
import type { ServiceCIDR } from '../../../api/types/networking.v1.gen.ts';
import { IPAddresses, ServiceCIDRs, Services } from '../../../client/resource-types.gen.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { startTestApiServer, type TestApiServer } from '../../testing.ts';

const namespace = 'default';
const service = (name: string, spec: object = {}): Service =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { ports: [{ port: 80 }], ...spec },
  }) as Service;
const address = (name: string, parent: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IPAddress',
  metadata: { name },
  spec: { parentRef: { resource: 'services', namespace, name: 'none', ...parent } },
});

describe('addresses of Services', () => {
  const store = openMemoryStore();
  let test: TestApiServer;
  // Six addresses, of which the first is the kubernetes Service's.
  const start = () => startTestApiServer({ store, serviceCIDRs: ['10.96.0.0/29'] });
  const services = () => test.client.for(Services);
  const addresses = () => test.client.for(IPAddresses);
  const names = async () => (await addresses().list()).items.map(({ metadata }) => metadata.name).sort();
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable('it should have failed'),
      (error: { status: { message: string; code: number } }) => error.status,
    );
  const settled = (check: () => Promise<void>) =>
    expect
      .poll(() =>
        check().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);

  beforeAll(async () => {
    test = await start();
  });
  afterAll(async () => {
    await test.stop();
    await store.close();
  });

  it('have an IPAddress from before the Service is there until it is gone', async () => {
    expect(await names()).toEqual(['10.96.0.1']);
    expect((await addresses().get({ name: '10.96.0.1' })).spec.parentRef).toEqual({
      resource: 'services',
      namespace: 'default',
      name: 'kubernetes',
    });
    const created = await services().create(service('a'));
    const { clusterIP } = created.spec;
    expect((await addresses().get({ name: clusterIP! })).spec.parentRef?.name).toBe('a');
    await services().delete({ namespace, name: 'a' });
    await settled(async () => expect(await names()).toEqual(['10.96.0.1']));
  });

  it('leave none behind for a Service that is refused or only tried', async () => {
    await failure(services().create(service('a', { ports: [{ port: 0 }] })));
    await services()
      .create(service('a'), { dryRun: true } as never)
      .catch(() => undefined);
    await services()
      .delete({ namespace, name: 'a' })
      .catch(() => undefined);
    await settled(async () => expect(await names()).toEqual(['10.96.0.1']));
  });

  it('are not those that somebody reserves with an IPAddress', async () => {
    await addresses().create(address('10.96.0.4', { resource: 'gateways', group: 'example.com' }) as never);
    expect((await failure(services().create(service('b', { clusterIP: '10.96.0.4' })))).message).toContain(
      'failed to allocate IP 10.96.0.4: provided IP is already allocated',
    );
    await addresses().delete({ name: '10.96.0.4' });
    await services().create(service('b', { clusterIP: '10.96.0.4' }));
  });

  it('get their IPAddress back when it is deleted under them', async () => {
    await addresses().delete({ name: '10.96.0.4' });
    await settled(async () => expect(await names()).toContain('10.96.0.4'));
  });

  it('come from further ServiceCIDRs when those are ready', async () => {
    for (const name of ['c', 'd', 'e', 'f']) await services().create(service(name));
    expect((await failure(services().create(service('g')))).message).toContain('range is full');
    const cidrs = test.client.for(ServiceCIDRs);
    expect((await cidrs.get({ name: 'kubernetes' })).spec.cidrs).toEqual(['10.96.0.0/29']);
    const more = await cidrs.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'more' },
      spec: { cidrs: ['10.97.0.0/24'] },
    } as ServiceCIDR);
    expect((await failure(services().create(service('g')))).message).toContain('range is full');
    const conditions = [
      { type: 'Ready', status: 'True', reason: 'Ready', message: '', lastTransitionTime: '2026-01-02T03:04:05Z' },
    ];
    await cidrs.updateStatus({ ...more, status: { conditions } } as never);
    expect((await services().create(service('g'))).spec.clusterIP).toMatch(/^10\.97\.0\./);
    await services().create(service('h', { clusterIP: '10.97.0.9' }));
    expect(await names()).toContain('10.97.0.9');
  });

  it('are put right at the next start', async () => {
    const before = await names();
    const { cache } = test.server.services;
    const objects = cache.resource('networking.k8s.io', 'ipaddresses').prefix;
    const own = `${cache.resource('', 'services').prefix}${namespace}/h`;
    await test.stop();
    // What a crash leaves: a Service without its object, and an object without its Service.
    const gone = [`${objects}10.96.0.4`, own].map((key) => ({ type: 'delete' as const, key }));
    await store.commit({ compare: [], operations: gone });
    test = await start();
    expect(await names()).toEqual(before.filter((name) => name !== '10.97.0.9'));
  });
});
