import { afterEach, describe, expect, it } from 'vitest';
import type { DaemonSet } from '../../../api/types/apps.v1.gen.ts';
import type { Node, Pod } from '../../../api/types/core.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { ControllerRevisions, DaemonSets, Nodes, Pods } from '../../../client/resource-types.gen.ts';
import { isPodReady } from '../../pod-state.ts';
import { type ControllerHarness, runControllers } from '../../runtime/testing/controller-harness.ts';
import { createFakeKubelet, type FakeKubelet } from '../testing/fake-kubelet.ts';
import { settled as quiet } from '../testing/settled.ts';
import { targetNode } from './daemon-pods.ts';
import { daemonSetController } from './daemon-set-controller.ts';

let run: ControllerHarness;
let kubelet: FakeKubelet;
afterEach(() => run?.stop());

const node = (name: string, labels: object = {}, taints: object[] = []) =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { taints } }) as unknown as Node;
const daemonSet = (spec: object = {}, podSpec: object = {}) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: {
        metadata: { labels: { app: 'agent' } },
        spec: { containers: [{ name: 'c', image: 'v1' }], ...podSpec },
      },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      ...spec,
    },
  }) as unknown as DaemonSet;

async function start(object: DaemonSet, nodes: readonly Node[]): Promise<void> {
  run = await runControllers([daemonSetController()], { objects: [...nodes, object] });
  kubelet = createFakeKubelet(run);
}
const current = () => run.api.get(DaemonSets, 'agent', 'default')!;
const status = () => current().status;
const imageOf = (pod: Pod) => pod.spec.containers[0]!.image!;
const active = () => kubelet.pods().filter((pod) => !pod.metadata.deletionTimestamp);
const places = () =>
  active()
    .map((pod) => targetNode(pod))
    .sort();
/** Binds pods where their affinity tells, and makes them ready. */
const ready = (pods: readonly Pod[] = active().filter((pod) => !pod.status?.phase)) => {
  for (const pod of pods) {
    run.api.put({ ...pod, spec: { ...pod.spec, nodeName: targetNode(pod)! } });
    kubelet.ready([pod.metadata.name]);
  }
};
function change(edit: (spec: Draft<DaemonSet['spec']>) => void): void {
  const copy = draft(current());
  edit(copy.spec);
  copy.metadata.generation = (copy.metadata.generation ?? 0) + 1;
  run.api.put(copy as DaemonSet);
}
const toImage = (image: string) =>
  change((spec) => {
    spec.template.spec!.containers[0]!.image = image;
  });
const settled = () => quiet(run);
const names = ['n1', 'n2', 'n3', 'n4'];

describe('DaemonSet', () => {
  it('runs one pod on every node that fits, bound to it by name', async () => {
    await start(daemonSet({}, { nodeSelector: { disk: 'ssd' }, hostNetwork: true }), [
      node('fits', { disk: 'ssd' }),
      node('other', { disk: 'hdd' }),
      node('tainted', { disk: 'ssd' }, [{ key: 'k', effect: 'NoSchedule' }]),
      node('unready', { disk: 'ssd' }, [
        { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
        { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
      ]),
    ]);
    await run.eventually(() => kubelet.pods().length === 2 && status()?.currentNumberScheduled === 2);
    expect(places()).toEqual(['fits', 'unready']);
    const [revision] = run.api.list(ControllerRevisions);
    const hash = revision?.metadata.labels?.['controller-revision-hash'];
    expect(revision).toMatchObject({
      revision: 1,
      metadata: { name: `agent-${hash}` },
      data: { spec: { template: { $patch: 'replace' } } },
    });
    const pod = kubelet.pods()[0]!;
    expect(pod.metadata.labels).toEqual({ app: 'agent', 'controller-revision-hash': hash });
    expect(pod.spec.tolerations?.map(({ key, effect }) => `${key}:${effect}`)).toEqual([
      'node.kubernetes.io/not-ready:NoExecute',
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/disk-pressure:NoSchedule',
      'node.kubernetes.io/memory-pressure:NoSchedule',
      'node.kubernetes.io/pid-pressure:NoSchedule',
      'node.kubernetes.io/unschedulable:NoSchedule',
      'node.kubernetes.io/network-unavailable:NoSchedule',
    ]);
    ready();
    await run.eventually(() => status()?.numberAvailable === 2);
    expect(status()).toEqual({
      currentNumberScheduled: 2,
      desiredNumberScheduled: 2,
      numberMisscheduled: 0,
      numberReady: 2,
      numberAvailable: 2,
      updatedNumberScheduled: 2,
      observedGeneration: 1,
    });
    // Nodes come, change and go.
    run.api.put(node('new', { disk: 'ssd' }));
    await run.eventually(() => places().includes('new'));
    const unready = run.api.get(Nodes, 'fits')!;
    run.api.put({ ...unready, metadata: { ...unready.metadata, labels: {} } });
    await run.eventually(() => !places().includes('fits'));
    // A NoSchedule taint drives out nobody, but the pod counts as misplaced.
    const other = run.api.get(Nodes, 'new')!;
    run.api.put({ ...other, spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    await run.eventually(() => status()?.numberMisscheduled === 2);
    run.api.put({ ...other, spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } });
    await run.eventually(() => !places().includes('new'));
  });

  it('replaces failed pods with backoff, and ones that are doubled', async () => {
    await start(daemonSet(), [node('n1')]);
    await run.eventually(() => active().length === 1);
    ready();
    const [first] = active();
    kubelet.finish(first!.metadata.name, 1);
    await run.eventually(() => active().length === 1 && active()[0]!.metadata.name !== first!.metadata.name);
    expect(run.events).toContain(
      `Warning FailedDaemonPod Found failed daemon pod default/${first!.metadata.name} on node n1, will try to kill it`,
    );
    ready();
    const second = active()[0]!;
    kubelet.finish(second.metadata.name, 1);
    await settled();
    expect(active()[0]!.metadata.name).toBe(second.metadata.name);
    await run.eventually(() => active()[0] && active()[0]!.metadata.name !== second.metadata.name);
    ready();
    const kept = active()[0]!;
    const { uid: _, ...metadata } = kept.metadata;
    run.api.put({ ...kept, metadata: { ...metadata, name: 'twin', creationTimestamp: '2099-01-01T00:00:00Z' } });
    await run.eventually(() => run.api.get(Pods, 'twin', 'default')?.metadata.deletionTimestamp);
  });

  it('updates as many pods at a time as maxUnavailable allows', async () => {
    await start(
      daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '50%' } } }),
      names.map((name) => node(name)),
    );
    await run.eventually(() => active().length === 4);
    ready();
    await run.eventually(() => status()?.numberAvailable === 4);
    toImage('v2');
    for (let round = 0; round < 20; round++) {
      await settled();
      expect(active().filter(isPodReady).length).toBeGreaterThanOrEqual(2);
      if (active().every((pod) => imageOf(pod) === 'v2' && isPodReady(pod)) && active().length === 4) break;
      const waiting = active().find((pod) => !pod.status?.phase);
      if (waiting) ready([waiting]);
      else kubelet.terminate();
    }
    await run.eventually(() => status()?.updatedNumberScheduled === 4 && status()?.numberAvailable === 4);
    expect(run.api.list(ControllerRevisions).map(({ revision }) => revision)).toEqual([1, 2]);
    // Back to the first template: its revision becomes the newest again.
    toImage('v1');
    await run.eventually(
      () =>
        run.api
          .list(ControllerRevisions)
          .map(({ revision }) => revision)
          .join() === '3,2',
    );
  });

  it('surges: the old pod goes when the new one is available', async () => {
    await start(
      daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
      names.map((name) => node(name)),
    );
    await run.eventually(() => active().length === 4);
    ready();
    await run.eventually(() => status()?.numberAvailable === 4);
    toImage('v2');
    for (let round = 0; round < 30; round++) {
      await settled();
      expect(active().filter(isPodReady).length).toBeGreaterThanOrEqual(4);
      expect(active().length).toBeLessThanOrEqual(5);
      if (active().every((pod) => imageOf(pod) === 'v2' && isPodReady(pod))) break;
      ready();
      kubelet.terminate();
    }
    expect(places()).toEqual(names);
    expect(active().every((pod) => imageOf(pod) === 'v2')).toBe(true);
  });

  it('with OnDelete leaves old pods until somebody deletes them, and keeps a short history', async () => {
    await start(daemonSet({ updateStrategy: { type: 'OnDelete' }, revisionHistoryLimit: 0 }), [node('n1'), node('n2')]);
    await run.eventually(() => active().length === 2);
    ready();
    toImage('v2');
    await settled();
    expect(active().map(imageOf)).toEqual(['v1', 'v1']);
    expect(run.api.list(ControllerRevisions)).toHaveLength(2);
    for (const pod of active()) run.api.remove(Pods, pod.metadata.name, 'default');
    await run.eventually(() => active().length === 2 && active().every((pod) => imageOf(pod) === 'v2'));
    await run.eventually(() => run.api.list(ControllerRevisions).length === 1);
  });
});
