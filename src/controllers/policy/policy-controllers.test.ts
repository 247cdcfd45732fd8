import { afterEach, describe, expect, it } from 'vitest';
import { ClusterRoles, Jobs, PodDisruptionBudgets, Pods, ResourceQuotas } from '../../client/resource-types.gen.ts';
import { clusterRoleAggregationController } from '../cluster-role-aggregation-controller.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { ttlAfterFinishedController } from '../ttl-after-finished-controller.ts';
import { disruptionController } from './disruption-controller.ts';
import { resourceQuotaController } from './resource-quota-controller.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

const owned = (kind: string, name: string) => [
  { apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true },
];
const pod = (name: string, ready: boolean, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: 'web' }, ownerReferences: owned('ReplicaSet', 'rs') },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '250m' } } }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  ...extra,
});
const workload = (kind: string, name: string, replicas: number, ownerReferences: object[] = []) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'default', uid: `uid-${name}`, ownerReferences: ownerReferences as never },
  spec: { replicas },
});
const budget = (spec: object) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'b', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
});
const status = () => run.api.get(PodDisruptionBudgets, 'b', 'default')?.status;

describe('disruption controller', () => {
  it('expects what the Deployment above the pods means to have', async () => {
    run = await runControllers([disruptionController()], {
      objects: [
        workload('Deployment', 'd', 4),
        workload('ReplicaSet', 'rs', 3, owned('Deployment', 'd')),
        budget({ minAvailable: '50%' }),
        pod('a', true),
        pod('b', true),
        pod('c', true),
        pod('d', false),
      ],
    });
    await run.eventually(() => status()?.disruptionsAllowed === 1);
    expect(status()).toMatchObject({
      currentHealthy: 3,
      desiredHealthy: 2,
      expectedPods: 4,
      conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }],
    });
    run.api.put(pod('a', false));
    await run.eventually(() => status()?.disruptionsAllowed === 0);
    expect(status()?.conditions?.[0]).toMatchObject({ status: 'False', reason: 'InsufficientPods' });
  });

  it('counts pods whose eviction was granted as gone, until they outlive their time', async () => {
    let time = Date.parse('2026-01-01T00:00:00Z');
    run = await runControllers([disruptionController()], {
      now: () => time,
      objects: [
        { ...budget({ minAvailable: 1 }), status: { disruptedPods: { a: '2026-01-01T00:00:00Z' } } },
        pod('a', true),
        pod('b', true),
      ],
    });
    await run.eventually(() => status()?.currentHealthy === 1);
    expect(status()).toMatchObject({ disruptionsAllowed: 0, disruptedPods: { a: '2026-01-01T00:00:00Z' } });
    time += 121_000;
    run.api.put(pod('c', true));
    await run.eventually(() => status()?.currentHealthy === 3);
    expect(run.events).toContain("Warning NotDeleted Pod was expected by PDB default/b to be deleted but it wasn't");
  });

  it('allows nothing when the scale is unknown', async () => {
    run = await runControllers([disruptionController()], { objects: [budget({ maxUnavailable: 1 }), pod('a', true)] });
    await run.eventually(() => status()?.conditions?.[0]?.reason === 'SyncFailed');
    expect(status()?.disruptionsAllowed).toBe(0);
  });
});

describe('resource quota controller', () => {
  it('counts what is used, and again when something goes', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q', namespace: 'default' },
      spec: { hard: { pods: '5', 'requests.cpu': '2', 'count/replicasets.apps': '3', secrets: '9' } },
    };
    run = await runControllers([resourceQuotaController()], {
      objects: [
        quota,
        pod('a', true),
        pod('b', true),
        pod('done', true, { status: { phase: 'Succeeded' } }),
        workload('ReplicaSet', 'rs', 1),
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'other' } },
      ],
    });
    const used = () => run.api.get(ResourceQuotas, 'q', 'default')?.status?.used;
    await run.eventually(() => used() !== undefined);
    expect(used()).toEqual({ pods: '2', 'requests.cpu': '500m', 'count/replicasets.apps': '1', secrets: '0' });
    run.api.remove(Pods, 'a', 'default');
    await run.eventually(() => used()?.pods === '1');
    expect(used()?.['requests.cpu']).toBe('250m');
  });
});

describe('cluster role aggregation controller', () => {
  it('collects the rules of selected roles', async () => {
    const role = (name: string, labels: Record<string, string>, rules: object[], aggregationRule?: object) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name, labels },
      rules,
      ...(aggregationRule ? { aggregationRule } : {}),
    });
    const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
    run = await runControllers([clusterRoleAggregationController()], {
      objects: [
        role('all', {}, [], { clusterRoleSelectors: [{ matchLabels: { to: 'all' } }] }),
        role('b', { to: 'all' }, [rule('pods'), rule('nodes')]),
        role('a', { to: 'all' }, [rule('pods')]),
        role('c', {}, [rule('secrets')]),
      ],
    });
    await run.eventually(() => run.api.get(ClusterRoles, 'all')?.rules?.length === 2);
    expect(run.api.get(ClusterRoles, 'all')?.rules).toEqual([rule('pods'), rule('nodes')]);
  });
});

describe('ttl after finished controller', () => {
  it('deletes a finished Job when its time is over', async () => {
    const finishedAt = new Date(Date.now() - 900).toISOString();
    const job = (name: string, ttl: number | undefined, type: string) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default' },
      spec: { ttlSecondsAfterFinished: ttl },
      status: { conditions: [{ type, status: 'True', lastTransitionTime: finishedAt }] },
    });
    run = await runControllers([ttlAfterFinishedController()], {
      objects: [job('soon', 1, 'Complete'), job('kept', undefined, 'Failed'), job('running', 0, 'Suspended')],
    });
    expect(run.api.get(Jobs, 'soon', 'default')).toBeDefined();
    // Foreground deletion: the garbage collector would complete it.
    await run.eventually(() => run.api.get(Jobs, 'soon', 'default')?.metadata.deletionTimestamp);
    expect(run.api.get(Jobs, 'kept', 'default')?.metadata.deletionTimestamp).toBeUndefined();
    expect(run.api.get(Jobs, 'running', 'default')?.metadata.deletionTimestamp).toBeUndefined();
  });
});
