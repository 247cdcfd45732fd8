import { afterEach, describe, expect, it } from 'vitest';
import { Nodes, Pods } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { createCidrSet } from './cidr-set.ts';
import { nodeIpamController } from './node-ipam-controller.ts';
import { nodeLifecycleController } from './node-lifecycle-controller.ts';
import { podGcController } from './pod-gc-controller.ts';
import { taintEvictionController } from './taint-eviction-controller.ts';
import { evictionTime } from './taints.ts';

let run: ControllerHarness;
afterEach(() => run?.stop());

const node = (name: string, ready = 'True', extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: {},
  status: { conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: 't0' }] },
  ...extra,
});
const pod = (name: string, nodeName: string | undefined, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { ...(nodeName ? { nodeName } : {}), containers: [], ...extra },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
});
const taintsOf = (name: string) =>
  run.api.get(Nodes, name)?.spec?.taints?.map(({ key, effect }) => `${key}:${effect}`) ?? [];
const lease = (name: string, renewTime: string) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'kube-node-lease' },
  spec: { renewTime },
});

describe('node lifecycle controller', () => {
  it('makes a silent node Unknown, taints it, and marks its pods not ready; a lease keeps a node alive', async () => {
    run = await runControllers(
      [nodeLifecycleController({ monitorPeriodMs: 10, gracePeriodMs: 80, evictionIntervalMs: 0 })],
      { objects: [node('alive'), node('silent'), pod('p', 'silent')] },
    );
    let beat = 0;
    const beating = setInterval(() => run.api.put(lease('alive', `t${++beat}`)), 20);
    try {
      await run.eventually(() => taintsOf('silent').length === 2);
      expect(taintsOf('silent').sort()).toEqual([
        'node.kubernetes.io/unreachable:NoExecute',
        'node.kubernetes.io/unreachable:NoSchedule',
      ]);
      const ready = run.api.get(Nodes, 'silent')?.status?.conditions?.find(({ type }) => type === 'Ready');
      expect(ready).toMatchObject({
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
      });
      await run.eventually(() => run.api.get(Pods, 'p', 'default')?.status?.conditions?.[0]?.status === 'False');
      expect(run.api.get(Nodes, 'alive')?.status?.conditions?.[0]?.status).toBe('True');
      expect(taintsOf('alive')).toEqual([]);
      run.api.put({
        ...run.api.get(Nodes, 'silent')!,
        status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 't1' }] },
      });
      await run.eventually(() => taintsOf('silent').length === 0);
    } finally {
      clearInterval(beating);
    }
  });

  it('taints by conditions and cordon, and tells nobody to leave when all nodes seem lost', async () => {
    const pressure = {
      status: {
        conditions: [
          { type: 'Ready', status: 'False' },
          { type: 'DiskPressure', status: 'True' },
        ],
      },
    };
    run = await runControllers([nodeLifecycleController()], {
      objects: [node('only', 'False', { ...pressure, spec: { unschedulable: true } })],
    });
    await run.eventually(() => taintsOf('only').length === 3);
    expect(taintsOf('only').sort()).toEqual([
      'node.kubernetes.io/disk-pressure:NoSchedule',
      'node.kubernetes.io/not-ready:NoSchedule',
      'node.kubernetes.io/unschedulable:NoSchedule',
    ]);
    expect(run.events).toContain('Normal RegisteredNode Node only event: Registered Node only in Controller');
  });
});

describe('taint eviction controller', () => {
  it('deletes pods that do not tolerate, at once or when their time is over', async () => {
    const timeAdded = new Date(Date.now() - 9_300).toISOString();
    const tainted = node('n', 'Unknown', { spec: { taints: [{ key: 'k', effect: 'NoExecute', timeAdded }] } });
    const tolerations = (tolerationSeconds?: number) => ({
      tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds }],
    });
    run = await runControllers([taintEvictionController()], {
      objects: [tainted, pod('none', 'n'), pod('some', 'n', tolerations(10)), pod('forever', 'n', tolerations())],
    });
    const leaving = (name: string) => run.api.get(Pods, name, 'default')?.metadata.deletionTimestamp !== undefined;
    await run.eventually(() => leaving('none'));
    expect(leaving('some')).toBe(false);
    await run.eventually(() => leaving('some'));
    expect(leaving('forever')).toBe(false);
    expect(run.api.get(Pods, 'none', 'default')?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'DisruptionTarget', reason: 'DeletionByTaintManager' }),
    );
  });

  it('takes the shortest time of all taints', () => {
    const taints = [
      { key: 'a', effect: 'NoExecute' },
      { key: 'b', effect: 'NoExecute' },
      { key: 'c', effect: 'NoSchedule' },
    ];
    const all = [{ operator: 'Exists', tolerationSeconds: 60 }];
    expect(evictionTime(all, taints, 1_000)).toBe(61_000);
    expect(evictionTime([...all, { key: 'b', operator: 'Exists', tolerationSeconds: 5 }], taints, 1_000)).toBe(6_000);
    expect(evictionTime([{ key: 'a', operator: 'Exists' }], taints, 1_000)).toBe(1_000);
    expect(evictionTime([{ operator: 'Exists' }], taints, 0)).toBe('never');
  });
});

describe('node IPAM controller', () => {
  it('gives each node a subnet of its own and reuses that of a removed one', async () => {
    run = await runControllers([nodeIpamController({ clusterCidrs: ['10.9.0.0/23'] })], {
      objects: [node('old', 'True', { spec: { podCIDR: '10.9.0.0/24', podCIDRs: ['10.9.0.0/24'] } }), node('new')],
    });
    await run.eventually(() => run.api.get(Nodes, 'new')?.spec?.podCIDR === '10.9.1.0/24');
    run.api.put(node('third'));
    await run.eventually(() => run.events.some((event) => event.includes('CIDRNotAvailable')));
    run.api.remove(Nodes, 'old');
    run.api.put(node('fourth'));
    await run.eventually(() => run.api.get(Nodes, 'fourth')?.spec?.podCIDR === '10.9.0.0/24');
  });

  it('handles IPv6', () => {
    const set = createCidrSet('fd00::/56', 64);
    expect([set.allocate(), set.allocate()]).toEqual(['fd00::/64', 'fd00:0:0:1::/64']);
  });
});

describe('pod garbage collector', () => {
  it('removes pods of vanished nodes, deleted unscheduled pods and excess terminated pods', async () => {
    const old = { ...pod('old', 'n'), status: { phase: 'Failed' } };
    const done = { ...pod('done', 'n'), status: { phase: 'Succeeded' } };
    const stuck = pod('stuck', undefined);
    run = await runControllers([podGcController({ periodMs: 15, quarantineMs: 40, terminatedThreshold: 1 })], {
      objects: [
        node('n'),
        pod('orphan', 'gone'),
        pod('kept', 'n'),
        { ...stuck, metadata: { ...stuck.metadata, deletionTimestamp: 'x' } },
        { ...old, metadata: { ...old.metadata, creationTimestamp: '2020-01-01T00:00:00Z' } },
        done,
      ],
    });
    await run.eventually(() => run.api.list(Pods).length === 2);
    expect(
      run.api
        .list(Pods)
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual(['done', 'kept']);
  });
});
