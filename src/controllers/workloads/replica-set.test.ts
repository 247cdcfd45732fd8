import { afterEach, describe, expect, it } from 'vitest';
import type { ReplicaSet } from '../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { forbidden } from '../../apimachinery/status-error.ts';
import { Pods, ReplicaSets, ReplicationControllers } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { rankForDeletion } from './pod-ranking.ts';
import { replicaSetController, replicationController } from './replica-set-controller.ts';
import { createFakeKubelet } from './testing/fake-kubelet.ts';
import { settled } from './testing/settled.ts';

let run: ControllerHarness;
afterEach(() => run?.stop());

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const replicaSet = (replicas: number, extra: object = {}) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default', uid: 'rs-uid' },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template, ...extra },
  }) as unknown as ReplicaSet;
const pod = (name: string, labels: object, ownerReferences?: object[]) =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels, ...(ownerReferences ? { ownerReferences } : {}) },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  }) as unknown as Pod;
const scale = (replicas: number) => {
  const current = run.api.get(ReplicaSets, 'web', 'default')!;
  run.api.put({
    ...current,
    metadata: { ...current.metadata, generation: (current.metadata.generation ?? 0) + 1 },
    spec: { ...current.spec, replicas },
  });
};
const status = () => run.api.get(ReplicaSets, 'web', 'default')?.status;

describe('ReplicaSet', () => {
  it('makes, replaces and deletes pods, exactly as many as wanted', async () => {
    run = await runControllers([replicaSetController()], { objects: [replicaSet(7)] });
    const kubelet = createFakeKubelet(run);
    await run.eventually(() => status()?.replicas === 7);
    await settled(run);
    expect(kubelet.pods()).toHaveLength(7);
    expect(kubelet.pods()[0]?.metadata).toMatchObject({
      labels: { app: 'web' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs-uid', controller: true }],
    });
    kubelet.ready();
    await run.eventually(() => status()?.availableReplicas === 7 && status()?.readyReplicas === 7);
    const [first, second] = kubelet.pods();
    run.api.remove(Pods, first!.metadata.name, 'default');
    kubelet.finish(second!.metadata.name, 1);
    await run.eventually(() => kubelet.pods().length === 8 && status()?.replicas === 7);
    scale(2);
    await run.eventually(() => status()?.replicas === 2 && status()?.observedGeneration === 2);
    // The two pods that were not ready yet went first, at once for they ran nowhere.
    expect(status()?.terminatingReplicas).toBe(3);
    expect(run.events.filter((event) => event.startsWith('Normal SuccessfulDelete'))).toHaveLength(5);
    kubelet.terminate();
    await run.eventually(() => status()?.terminatingReplicas === 0);
  });

  it('adopts matching orphans and releases pods whose labels changed', async () => {
    const reference = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs-uid', controller: true };
    run = await runControllers([replicaSetController()], {
      objects: [
        replicaSet(2),
        pod('orphan', { app: 'web' }),
        pod('stray', { app: 'other' }, [reference]),
        pod('foreign', { app: 'web' }, [{ ...reference, uid: 'someone', name: 'else' }]),
      ],
    });
    await run.eventually(() => run.api.list(Pods).length === 4 && status()?.replicas === 2);
    const owners = (name: string) => run.api.get(Pods, name, 'default')?.metadata.ownerReferences ?? [];
    expect(owners('orphan')).toMatchObject([{ uid: 'rs-uid' }]);
    expect(owners('stray')).toEqual([]);
    expect(owners('foreign')).toMatchObject([{ uid: 'someone' }]);
  });

  it('tells why pods can not be made, and tries again', async () => {
    run = await runControllers([replicaSetController()]);
    run.api.failOnce(({ method }) => method === 'POST', forbidden(Pods, 'web-', 'exceeded quota: q'));
    run.api.failOnce(({ method }) => method === 'POST', forbidden(Pods, 'web-', 'exceeded quota: q'));
    run.api.put(replicaSet(3));
    await run.eventually(() => status()?.conditions?.[0]?.type === 'ReplicaFailure');
    expect(status()?.conditions?.[0]).toMatchObject({ status: 'True', reason: 'FailedCreate' });
    await run.eventually(() => status()?.replicas === 3 && !status()?.conditions);
    expect(run.events[0]).toBe('Warning FailedCreate Error creating: pods "web-" is forbidden: exceeded quota: q');
    expect(run.api.list(Pods)).toHaveLength(3);
  });

  it('does not wait for pods that went before they were seen', async () => {
    run = await runControllers([replicaSetController()], { objects: [replicaSet(40)] });
    await run.eventually(() => run.api.list(Pods).length > 3);
    for (const { metadata } of run.api.list(Pods)) run.api.remove(Pods, metadata.name, 'default');
    await run.eventually(() => status()?.replicas === 40);
  });

  it('counts a pod as available only after minReadySeconds', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z');
    run = await runControllers([replicaSetController()], {
      objects: [replicaSet(1, { minReadySeconds: 1 })],
      now: () => now,
    });
    const kubelet = createFakeKubelet(run, () => now);
    await run.eventually(() => kubelet.pods().length === 1);
    kubelet.ready();
    await run.eventually(() => status()?.readyReplicas === 1);
    expect(status()?.availableReplicas).toBeUndefined();
    now += 1_000;
    await run.eventually(() => status()?.availableReplicas === 1);
  });

  it('deletes first what is missed least', () => {
    const ranked = (name: string, { node = 'n1', phase = 'Running', ready = true, cost = '', restarts = 0 } = {}) =>
      ({
        metadata: { name, annotations: cost ? { 'controller.kubernetes.io/pod-deletion-cost': cost } : {} },
        spec: { nodeName: node },
        status: {
          phase,
          conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
          containerStatuses: [{ restartCount: restarts }],
        },
      }) as unknown as Pod;
    const pods = [
      ranked('good', { node: 'n3' }),
      ranked('crowded'),
      ranked('dear', { cost: '10', ready: true, node: 'n2' }),
      ranked('cheap', { cost: '-5', node: 'n4' }),
      ranked('restarting', { restarts: 3 }),
      ranked('unready', { ready: false, node: 'n5' }),
      ranked('pending', { phase: 'Pending', ready: false, node: 'n6' }),
      ranked('unscheduled', { node: '', phase: 'Pending', ready: false }),
    ];
    expect(rankForDeletion(pods, pods).map(({ metadata }) => metadata.name)).toEqual([
      'unscheduled',
      'pending',
      'unready',
      'cheap',
      'restarting',
      'crowded',
      'good',
      'dear',
    ]);
  });

  it('serves ReplicationControllers alike', async () => {
    run = await runControllers([replicationController()], {
      objects: [
        {
          apiVersion: 'v1',
          kind: 'ReplicationController',
          metadata: { name: 'old', namespace: 'default' },
          spec: { replicas: 2, selector: { app: 'web' }, template },
        },
      ],
    });
    await run.eventually(
      () =>
        run.api.get(ReplicationControllers, 'old', 'default')?.status?.replicas === 2 &&
        run.api.list(Pods).length === 2,
    );
  });
});
