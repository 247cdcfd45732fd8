import { afterEach, describe, expect, it } from 'vitest';
import type { StatefulSet } from '../../../api/types/apps.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { ControllerRevisions, PersistentVolumeClaims, Pods, StatefulSets } from '../../../client/resource-types.gen.ts';
import { isPodReady } from '../../pod-state.ts';
import { type ControllerHarness, runControllers } from '../../runtime/testing/controller-harness.ts';
import { createFakeKubelet, type FakeKubelet } from '../testing/fake-kubelet.ts';
import { settled as quiet } from '../testing/settled.ts';
import { statefulSetController } from './stateful-set-controller.ts';

let run: ControllerHarness;
let kubelet: FakeKubelet;
afterEach(() => run?.stop());

const statefulSet = (replicas: number, spec: object = {}) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default', uid: 'set-uid' },
    spec: {
      replicas,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'v1' }] } },
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
  }) as unknown as StatefulSet;
const volumeClaimTemplates = [
  { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
];

async function start(object: StatefulSet): Promise<void> {
  run = await runControllers([statefulSetController()], { objects: [object] });
  kubelet = createFakeKubelet(run);
}
const current = () => run.api.get(StatefulSets, 'db', 'default')!;
const status = () => current().status;
const get = (name: string) => run.api.get(Pods, name, 'default');
const names = () =>
  kubelet
    .pods()
    .filter((pod) => !pod.metadata.deletionTimestamp)
    .map(({ metadata }) => metadata.name)
    .sort();
const images = () => ['db-0', 'db-1', 'db-2'].map((name) => get(name)?.spec.containers[0]?.image).join();
function change(edit: (spec: Draft<StatefulSet['spec']>) => void): void {
  const copy = draft(current());
  edit(copy.spec);
  copy.metadata.generation = (copy.metadata.generation ?? 0) + 1;
  run.api.put(copy as StatefulSet);
}
const toImage = (image: string) =>
  change((spec) => {
    spec.template.spec!.containers[0]!.image = image;
  });
const settled = () => quiet(run);
async function allReady(count: number): Promise<void> {
  await run.eventually(() => {
    kubelet.ready();
    kubelet.terminate();
    return status()?.readyReplicas === count && status()?.replicas === count;
  });
  await settled();
}

describe('StatefulSet', () => {
  it('starts pods one by one, with names, labels and claims of their own', async () => {
    await start(statefulSet(2, { volumeClaimTemplates }));
    await settled();
    expect(names()).toEqual(['db-0']);
    const revision = run.api.list(ControllerRevisions)[0]!;
    expect(get('db-0')).toMatchObject({
      metadata: {
        labels: {
          app: 'db',
          'statefulset.kubernetes.io/pod-name': 'db-0',
          'apps.kubernetes.io/pod-index': '0',
          'controller-revision-hash': revision.metadata.name,
        },
        ownerReferences: [{ kind: 'StatefulSet', name: 'db' }],
      },
      spec: {
        hostname: 'db-0',
        subdomain: 'db',
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } }],
      },
    });
    expect(run.api.get(PersistentVolumeClaims, 'data-db-0', 'default')).toMatchObject({
      metadata: { labels: { app: 'db' } },
      spec: { resources: { requests: { storage: '1Gi' } } },
    });
    kubelet.ready();
    await run.eventually(() => get('db-1'));
    await allReady(2);
    expect(status()).toEqual({
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 2,
      availableReplicas: 2,
      collisionCount: 0,
      currentRevision: revision.metadata.name,
      updateRevision: revision.metadata.name,
    });
    expect(run.events).toEqual([
      'Normal SuccessfulCreate create Claim data-db-0 Pod db-0 in StatefulSet db success',
      'Normal SuccessfulCreate create Pod db-0 in StatefulSet db successful',
      'Normal SuccessfulCreate create Claim data-db-1 Pod db-1 in StatefulSet db success',
      'Normal SuccessfulCreate create Pod db-1 in StatefulSet db successful',
    ]);
  });

  it('scales down from the highest, one by one, and comes back under the same name', async () => {
    await start(statefulSet(3));
    await allReady(3);
    change((spec) => {
      spec.replicas = 1;
    });
    await settled();
    expect(names()).toEqual(['db-0', 'db-1']);
    kubelet.terminate();
    await settled();
    expect(names()).toEqual(['db-0']);
    kubelet.terminate();
    const first = get('db-0')!;
    kubelet.finish('db-0', 1);
    await run.eventually(() => get('db-0') && get('db-0')!.metadata.uid !== first.metadata.uid);
    expect(run.events).toContain('Warning RecreatingFailedPod StatefulSet default/db is recreating failed Pod db-0');
  });

  it('works on all pods at once when parallel, from any ordinal', async () => {
    await start(statefulSet(3, { podManagementPolicy: 'Parallel', ordinals: { start: 5 } }));
    await run.eventually(() => names().join() === 'db-5,db-6,db-7');
    change((spec) => {
      spec.replicas = 1;
    });
    await run.eventually(() => names().join() === 'db-5');
  });

  it('updates from the highest down, each after the one before is ready, and keeps its history', async () => {
    await start(statefulSet(3, { revisionHistoryLimit: 1 }));
    await allReady(3);
    toImage('v2');
    for (const step of ['v1,v1,v2', 'v1,v2,v2', 'v2,v2,v2']) {
      await settled();
      kubelet.terminate();
      await run.eventually(() => images() === step);
      expect(kubelet.pods().filter(isPodReady).length).toBeGreaterThanOrEqual(2);
      await settled();
      expect(images()).toBe(step);
      kubelet.ready();
    }
    await run.eventually(() => status()?.currentRevision === status()?.updateRevision);
    toImage('v3');
    await run.eventually(async () => {
      await settled();
      kubelet.ready();
      kubelet.terminate();
      return images() === 'v3,v3,v3';
    });
    await run.eventually(() => status()?.currentRevision === status()?.updateRevision);
    await run.eventually(() => run.api.list(ControllerRevisions).length === 2);
  });

  it('keeps the old revision below the partition, also for pods that come anew', async () => {
    await start(statefulSet(3, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } }));
    await allReady(3);
    toImage('v2');
    await settled();
    await allReady(3);
    expect(images()).toBe('v1,v1,v2');
    run.api.remove(Pods, 'db-0', 'default');
    await allReady(3);
    expect(images()).toBe('v1,v1,v2');
    expect(status()).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
    change((spec) => {
      spec.updateStrategy!.rollingUpdate!.partition = 0;
    });
    await run.eventually(async () => {
      await settled();
      kubelet.ready();
      kubelet.terminate();
      return images() === 'v2,v2,v2';
    });
  });

  it('leaves pods alone with OnDelete', async () => {
    await start(statefulSet(2, { updateStrategy: { type: 'OnDelete' } }));
    await allReady(2);
    toImage('v2');
    await settled();
    expect(names()).toEqual(['db-0', 'db-1']);
    run.api.remove(Pods, 'db-0', 'default');
    await run.eventually(() => get('db-0')?.spec.containers[0]?.image === 'v2');
    expect(get('db-1')?.spec.containers[0]?.image).toBe('v1');
  });

  it('ties claims to the set and to pods that are scaled away, by the retention policy', async () => {
    await start(
      statefulSet(2, {
        volumeClaimTemplates,
        podManagementPolicy: 'Parallel',
        persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Delete' },
      }),
    );
    await allReady(2);
    const owners = (name: string) =>
      run.api
        .get(PersistentVolumeClaims, name, 'default')
        ?.metadata.ownerReferences?.map(({ kind, name: owner }) => `${kind}/${owner}`);
    expect(owners('data-db-1')).toEqual(['StatefulSet/db']);
    const doomed = get('db-1') as Pod;
    change((spec) => {
      spec.replicas = 1;
    });
    await run.eventually(() => owners('data-db-1')?.join() === 'Pod/db-1' && get('db-1')?.metadata.deletionTimestamp);
    kubelet.terminate();
    // Until the garbage collector has taken the old pod's claim, no new pod may use it.
    change((spec) => {
      spec.replicas = 2;
    });
    await settled();
    expect(get('db-1')).toBeUndefined();
    run.api.remove(PersistentVolumeClaims, 'data-db-1', 'default');
    await run.eventually(() => get('db-1') && get('db-1')!.metadata.uid !== doomed.metadata.uid);
    expect(owners('data-db-1')).toEqual(['StatefulSet/db']);
  });
});
