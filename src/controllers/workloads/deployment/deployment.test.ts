import { afterEach, describe, expect, it } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../api/types/apps.v1.gen.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import { draft } from '../../../apimachinery/json.ts';
import { controllerOf } from '../../../apimachinery/meta.ts';
import { forbidden } from '../../../apimachinery/status-error.ts';
import { Deployments, Pods, ReplicaSets } from '../../../client/resource-types.gen.ts';
import { conditionOf } from '../../conditions.ts';
import { isPodReady } from '../../pod-state.ts';
import { type ControllerHarness, runControllers } from '../../runtime/testing/controller-harness.ts';
import { replicaSetController } from '../replica-set-controller.ts';
import { safeHash } from '../template-hash.ts';
import { createFakeKubelet, type FakeKubelet } from '../testing/fake-kubelet.ts';
import { settled as quiet } from '../testing/settled.ts';
import { deploymentController } from './deployment-controller.ts';

let run: ControllerHarness;
let kubelet: FakeKubelet;
afterEach(() => run?.stop());

const deployment = (replicas: number, spec: object = {}) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', annotations: { note: 'mine' } },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'v1' }] } },
      ...spec,
    },
  }) as unknown as Deployment;

async function start(object: Deployment, now?: () => number): Promise<void> {
  run = await runControllers([replicaSetController(), deploymentController()], {
    objects: [object],
    ...(now ? { now } : {}),
  });
  kubelet = createFakeKubelet(run, now);
}
const current = () => run.api.get(Deployments, 'web', 'default')!;
const status = () => current().status;
const progress = () => conditionOf(status()?.conditions, 'Progressing');
const sets = () => run.api.list(ReplicaSets, 'default');
const imageOf = (set: ReplicaSet) => set.spec.template!.spec!.containers[0]!.image!;
const setOf = (image: string) => sets().find((set) => imageOf(set) === image);
const sizes = () => Object.fromEntries(sets().map((set) => [imageOf(set), set.spec.replicas]));
function change(edit: (spec: Draft<Deployment['spec']>) => void): void {
  const copy = draft(current());
  edit(copy.spec);
  copy.metadata.generation = (copy.metadata.generation ?? 0) + 1;
  run.api.put(copy as Deployment);
}
const toImage = (image: string) =>
  change((spec) => {
    spec.template.spec!.containers[0]!.image = image;
  });
const settled = () => quiet(run);
async function rollOut(step: () => void = () => {}): Promise<void> {
  for (let rounds = 0; rounds < 60; rounds++) {
    await settled();
    step();
    const { spec, status: now } = current();
    if (
      now?.observedGeneration === current().metadata.generation &&
      (now?.updatedReplicas ?? 0) === spec.replicas &&
      (now?.replicas ?? 0) === spec.replicas &&
      (now?.availableReplicas ?? 0) === spec.replicas
    )
      return;
    // One pod at a time, so that every stage of the rollout is seen.
    const next = kubelet.pods().find((pod) => !pod.status?.phase && !pod.metadata.deletionTimestamp);
    if (next) kubelet.ready([next.metadata.name]);
    kubelet.terminate();
  }
  throw new Error(`the rollout does not end: ${JSON.stringify(sizes())} ${JSON.stringify(status())}`);
}

describe('Deployment', () => {
  it('makes a ReplicaSet with hash, revision and annotations, and reports progress', async () => {
    await start(deployment(2));
    await run.eventually(() => kubelet.pods().length === 2);
    const [set] = sets();
    const hash = set!.metadata.labels?.['pod-template-hash'];
    expect(set!.metadata).toMatchObject({
      name: `web-${hash}`,
      annotations: {
        note: 'mine',
        'deployment.kubernetes.io/revision': '1',
        'deployment.kubernetes.io/desired-replicas': '2',
        'deployment.kubernetes.io/max-replicas': '3',
      },
      ownerReferences: [{ kind: 'Deployment', name: 'web', controller: true }],
    });
    expect(set!.spec.selector.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash });
    await settled();
    expect(progress()).toMatchObject({ status: 'True', reason: 'ReplicaSetUpdated' });
    kubelet.ready();
    await run.eventually(() => progress()?.reason === 'NewReplicaSetAvailable');
    expect(status()).toMatchObject({
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      observedGeneration: 1,
    });
    expect(progress()?.message).toBe(`ReplicaSet "${set!.metadata.name}" has successfully progressed.`);
    expect(conditionOf(status()?.conditions, 'Available')?.status).toBe('True');
    expect(current().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1');
    expect(run.events).toContain(`Normal ScalingReplicaSet Scaled up replica set web-${hash} from 0 to 2`);
  });

  it.each([
    [5, 2, 1],
    [4, 0, 1],
    [4, 1, 0],
    [10, '25%', '25%'],
  ])('rolls %i pods keeping to maxSurge %s and maxUnavailable %s', async (replicas, maxSurge, maxUnavailable) => {
    await start(
      deployment(replicas, { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } }),
    );
    await rollOut();
    const surge = maxSurge === '25%' ? 3 : Number(maxSurge);
    const missing = maxUnavailable === '25%' ? 2 : Number(maxUnavailable);
    toImage('v2');
    let most = 0;
    await rollOut(() => {
      const active = kubelet.pods().filter((pod) => !pod.metadata.deletionTimestamp);
      most = Math.max(most, active.length);
      expect(active.length).toBeLessThanOrEqual(replicas + surge);
      expect(active.filter(isPodReady).length).toBeGreaterThanOrEqual(replicas - missing);
    });
    expect(most).toBe(replicas + surge);
    expect(sizes()).toEqual({ v1: 0, v2: replicas });
    expect(current().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
  });

  it('leaves a broken rollout for a newer one, and goes back to an old revision', async () => {
    await start(deployment(3));
    await rollOut();
    toImage('broken');
    await settled();
    expect(sizes()).toEqual({ v1: 2, broken: 2 });
    toImage('v3');
    await settled();
    expect(sizes().broken).toBe(0);
    expect(sizes().v1).toBe(2);
    await rollOut();
    expect(sizes()).toEqual({ v1: 0, broken: 0, v3: 3 });
    toImage('v1');
    await rollOut();
    expect(sizes()).toEqual({ v1: 3, broken: 0, v3: 0 });
    expect(sets()).toHaveLength(3);
    expect(setOf('v1')?.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '4',
      'deployment.kubernetes.io/revision-history': '1',
    });
    expect(current().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('4');
  });

  it('recreates: no new pod while an old one is there', async () => {
    await start(deployment(2, { strategy: { type: 'Recreate' } }));
    await rollOut();
    toImage('v2');
    await settled();
    expect(sizes()).toEqual({ v1: 0 });
    expect(kubelet.pods()).toHaveLength(2);
    kubelet.terminate();
    await run.eventually(() => kubelet.pods().length === 2 && sizes().v2 === 2);
    await rollOut();
    expect(progress()?.reason).toBe('NewReplicaSetAvailable');
  });

  it('pauses: no rollout but scaling in proportion, and resumes', async () => {
    await start(
      deployment(10, { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
    );
    await rollOut();
    toImage('v2');
    await settled();
    expect(sizes()).toEqual({ v1: 8, v2: 5 });
    change((spec) => {
      spec.paused = true;
      spec.replicas = 15;
    });
    await settled();
    expect(progress()).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
    });
    // 18 instead of 13: three of the five more go to the larger set.
    expect(sizes()).toEqual({ v1: 11, v2: 7 });
    toImage('v3');
    await settled();
    expect(sets()).toHaveLength(2);
    change((spec) => {
      delete spec.paused;
    });
    await rollOut();
    expect(sizes()).toEqual({ v1: 0, v2: 0, v3: 15 });
  });

  it('scales without a rollout', async () => {
    await start(deployment(1));
    await rollOut();
    for (const replicas of [4, 2, 0, 1]) {
      change((spec) => {
        spec.replicas = replicas;
      });
      await rollOut();
      expect(sizes()).toEqual({ v1: replicas });
    }
    expect(setOf('v1')?.metadata.annotations?.['deployment.kubernetes.io/desired-replicas']).toBe('1');
  });

  it('reports a rollout that does not progress in time, once', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z');
    await start(deployment(1, { progressDeadlineSeconds: 0 }), () => now);
    await settled();
    expect(progress()?.status).toBe('True');
    now += 10_000;
    await run.eventually(() => progress()?.reason === 'ProgressDeadlineExceeded', 5_000);
    expect(progress()).toMatchObject({
      status: 'False',
      message: `ReplicaSet "${sets()[0]!.metadata.name}" has timed out progressing.`,
    });
    kubelet.ready();
    await run.eventually(() => progress()?.reason === 'NewReplicaSetAvailable');
  });

  it('keeps only so many old revisions', async () => {
    await start(deployment(1, { revisionHistoryLimit: 2 }));
    for (const image of ['v2', 'v3', 'v4', 'v5']) {
      await rollOut();
      toImage(image);
    }
    await rollOut();
    await run.eventually(() => sets().length === 3);
    expect(sets().map(imageOf).sort()).toEqual(['v3', 'v4', 'v5']);
  });

  it('takes another hash when the name is taken, and tells when a set can not be made', async () => {
    const object = deployment(1);
    const taken = `web-${safeHash(object.spec.template)}`;
    run = await runControllers([replicaSetController(), deploymentController()], {
      objects: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: { name: taken, namespace: 'default' },
          spec: {
            replicas: 0,
            selector: { matchLabels: { app: 'x' } },
            template: { metadata: { labels: { app: 'x' } } },
          },
        },
      ],
    });
    kubelet = createFakeKubelet(run);
    run.api.put(object);
    await run.eventually(() => status()?.collisionCount === 1 && kubelet.pods().length === 1);
    expect(sets()).toHaveLength(2);
    run.api.failOnce(
      ({ method, path }) => method === 'POST' && path.endsWith('replicasets'),
      forbidden(ReplicaSets, 'x', 'exceeded quota'),
    );
    toImage('v2');
    await run.eventually(() => sets().length === 3);
    expect(
      run.events.some((event) => event.includes('Warning ReplicaSetCreateError Failed to create new replica set')),
    ).toBe(true);
  });

  it('adopts a ReplicaSet left behind, and its pods go on', async () => {
    await start(deployment(2));
    await rollOut();
    const names = kubelet.pods().map(({ metadata }) => metadata.name);
    const orphan = draft(sets()[0]!);
    delete orphan.metadata.ownerReferences;
    run.api.put(orphan as ReplicaSet);
    await run.eventually(() => controllerOf(sets()[0]!)?.name === 'web');
    await settled();
    expect(run.api.list(Pods).map(({ metadata }) => metadata.name)).toEqual(names);
  });
});
