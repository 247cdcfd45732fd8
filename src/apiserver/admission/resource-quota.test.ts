import { describe, expect, it } from 'vitest';
import type { ResourceQuota } from '../../api/types/core.v1.gen.ts';
import { modifiedConflict } from '../../apimachinery/status-error.ts';
import { resourceQuota } from './resource-quota.ts';
import { admit, FakeLookup, pod } from './testing/admit.ts';

const quota = (hard: Record<string, string>, used: Record<string, string>, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'team', namespace: 'shop', uid: 'q1', resourceVersion: '1' },
  spec: { hard, ...spec },
  status: { hard, used },
});

/** Updates land in the "store" at once, in the cache only when told. */
function setUp(initial: object) {
  const lookup = new FakeLookup().put('resourcequotas', initial);
  let stored = initial as unknown as ResourceQuota;
  const step = resourceQuota({
    lookup: Object.assign(lookup, { fetch: async () => stored as never }),
    async updateStatus(changed) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (changed.metadata.resourceVersion !== stored.metadata.resourceVersion)
        throw modifiedConflict({ group: '', resource: 'resourcequotas' }, 'team');
      stored = {
        ...changed,
        metadata: { ...changed.metadata, resourceVersion: String(Number(stored.metadata.resourceVersion) + 1) },
      };
      return stored;
    },
  });
  return { step, lookup, stored: () => stored, overwrite: (object: ResourceQuota) => (stored = object) };
}

const asking = (cpu: string, name = 'web') =>
  pod({ containers: [{ name: 'c', resources: { requests: { cpu } } }] }, { name });

describe('ResourceQuota', () => {
  it('refuses what exceeds the quota and charges what does not', async () => {
    const { step, stored } = setUp(quota({ pods: '2', 'requests.cpu': '1' }, { pods: '0', 'requests.cpu': '0' }));
    await admit(step, 'pods', asking('600m'));
    expect(stored().status!.used).toEqual({ pods: '1', 'requests.cpu': '600m' });
    await expect(admit(step, 'pods', asking('500m'))).rejects.toThrow(
      'pods "web" is forbidden: exceeded quota: team, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
    );
    await expect(admit(step, 'pods', pod())).rejects.toThrow(
      'pods "web" is forbidden: failed quota: team: must specify requests.cpu for: c',
    );
    await admit(step, 'pods', asking('100m'), { dryRun: true });
    expect(stored().status!.used!.pods).toBe('1');
  });

  it('gives the last of it to one of many at once', async () => {
    const { step, stored } = setUp(quota({ pods: '5' }, { pods: '0' }));
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => admit(step, 'pods', asking('1', `p${index}`))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(stored().status!.used).toEqual({ pods: '5' });
  });

  it('tries again when somebody else changed the quota', async () => {
    const { step, stored, overwrite } = setUp(quota({ pods: '3' }, { pods: '0' }));
    const other = quota({ pods: '3' }, { pods: '2' });
    overwrite({ ...other, metadata: { ...other.metadata, resourceVersion: '9' } } as unknown as ResourceQuota);
    await admit(step, 'pods', asking('1'));
    expect(stored().status!.used).toEqual({ pods: '3' });
    await expect(admit(step, 'pods', asking('1'))).rejects.toThrow(
      'exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3',
    );
  });

  it('heeds scopes, other kinds, and growth by update', async () => {
    const bestEffort = setUp(quota({ pods: '0' }, { pods: '0' }, { scopes: ['BestEffort'] }));
    await admit(bestEffort.step, 'pods', asking('1'));
    await expect(admit(bestEffort.step, 'pods', pod())).rejects.toThrow('exceeded quota');

    const objects = setUp(
      quota(
        { 'count/deployments.apps': '0', configmaps: '0', 'services.nodeports': '1' },
        { 'count/deployments.apps': '0', configmaps: '0', 'services.nodeports': '0' },
      ),
    );
    const named = { metadata: { name: 'x', namespace: 'shop' } };
    await expect(admit(objects.step, 'apps/deployments', named)).rejects.toThrow(
      'deployments.apps "x" is forbidden: exceeded quota: team, requested: count/deployments.apps=1',
    );
    await expect(admit(objects.step, 'configmaps', named)).rejects.toThrow('exceeded quota');
    const service = (type: string, ports: number) => ({
      ...named,
      spec: { type, ports: Array.from({ length: ports }, (_, index) => ({ port: index + 1 })) },
    });
    const update = (after: object, before: object) =>
      admit(objects.step, 'services', after, { operation: 'UPDATE', oldObject: before as never });
    await update(service('NodePort', 1), service('ClusterIP', 1));
    await expect(update(service('NodePort', 2), service('NodePort', 1))).rejects.toThrow(
      'requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1',
    );
  });

  it('charges a resize for what is added to what the pod has been given', async () => {
    const { step, stored } = setUp(quota({ 'requests.cpu': '3' }, { 'requests.cpu': '2' }));
    const sized = (cpu: string, holds: string, conditions: object[] = []) => ({
      ...asking(cpu),
      status: { containerStatuses: [{ name: 'c', resources: { requests: { cpu: holds } } }], conditions },
    });
    const resize = (object: object, oldObject: object) =>
      admit(step, 'pods', object, { operation: 'UPDATE', subresource: 'resize', oldObject: oldObject as never });
    await resize(sized('1', '2'), sized('2', '2'));
    await resize(sized('2', '2'), sized('1', '2'));
    expect(stored().status!.used).toEqual({ 'requests.cpu': '2' });
    await expect(resize(sized('4', '2'), sized('2', '2'))).rejects.toThrow(
      'exceeded quota: team, requested: requests.cpu=2',
    );
    await resize(sized('2500m', '2'), sized('1', '2'));
    expect(stored().status!.used).toEqual({ 'requests.cpu': '2500m' });
    const infeasible = [{ type: 'PodResizePending', reason: 'Infeasible', status: 'True' }];
    await resize(sized('9', '2', infeasible), sized('9', '2', infeasible));
  });

  it('refuses what is limited and no quota covers', async () => {
    const lookup = new FakeLookup();
    const limit = { group: '', resource: 'pods', matchContains: ['cpu'], matchScopes: [] };
    const scope = { scopeName: 'PriorityClass', operator: 'In', values: ['high', 'top'] };
    const step = resourceQuota({
      lookup,
      updateStatus: async (changed) => changed,
      limited: [limit, { ...limit, matchContains: [], matchScopes: [scope] }],
    });
    await admit(step, 'pods', pod());
    await expect(admit(step, 'pods', asking('1'))).rejects.toThrow(
      'pods "web" is forbidden: insufficient quota to consume: cpu,requests.cpu',
    );
    await expect(admit(step, 'pods', pod({ priorityClassName: 'top' }))).rejects.toThrow(
      'insufficient quota to match these scopes: [{PriorityClass In [high top]}]',
    );
    lookup.put('resourcequotas', quota({ cpu: '2', 'requests.cpu': '2' }, { cpu: '0', 'requests.cpu': '0' }));
    await admit(step, 'pods', asking('1'));
    const scopeSelector = { matchExpressions: [{ ...scope, values: ['top'] }] };
    lookup.put('resourcequotas', quota({ pods: '1' }, { pods: '0' }, { scopeSelector }));
    await admit(step, 'pods', pod({ priorityClassName: 'top' }));
  });

  it('counts the devices that a claim can get at most', async () => {
    const { step, stored } = setUp(
      quota({ 'gpu.deviceclass.resource.k8s.io/devices': '40' }, { 'gpu.deviceclass.resource.k8s.io/devices': '0' }),
    );
    const claim = (requests: object[]) => ({
      kind: 'ResourceClaim',
      metadata: { name: 'c', namespace: 'shop' },
      spec: { devices: { requests } },
    });
    const firstAvailable = [{ deviceClassName: 'gpu', count: 2 }, { deviceClassName: 'gpu' }, { deviceClassName: 'x' }];
    await admit(
      step,
      'resource.k8s.io/resourceclaims',
      claim([{ exactly: { deviceClassName: 'gpu' } }, { firstAvailable }]),
    );
    expect(stored().status!.used).toEqual({ 'gpu.deviceclass.resource.k8s.io/devices': '3' });
    const all = claim([{ exactly: { deviceClassName: 'gpu', allocationMode: 'All' } }]);
    await admit(step, 'resource.k8s.io/resourceclaims', all);
    await expect(admit(step, 'resource.k8s.io/resourceclaims', all)).rejects.toThrow(
      'requested: gpu.deviceclass.resource.k8s.io/devices=32, used: gpu.deviceclass.resource.k8s.io/devices=35',
    );
  });
});
