import { afterEach, describe, expect, it } from 'vitest';
import type { KubeObject, OwnerReference } from '../../apimachinery/meta.ts';
import {
  ConfigMaps,
  CustomResourceDefinitions,
  Nodes,
  Pods,
  ReplicaSets,
  Secrets,
} from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { garbageCollector } from './garbage-collector.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

const widgets = { group: 'acme.dev', version: 'v1', kind: 'Widget', resource: 'widgets', namespaced: true };
const API_VERSIONS: Record<string, string> = { ReplicaSet: 'apps/v1', Widget: 'acme.dev/v1' };

function make(
  kind: string,
  name: string,
  owners: readonly KubeObject[] = [],
  extra: Partial<OwnerReference> = {},
): KubeObject {
  return {
    apiVersion: API_VERSIONS[kind] ?? 'v1',
    kind,
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      ownerReferences: owners.map(({ apiVersion, kind: ownerKind, metadata }) => ({
        apiVersion,
        kind: ownerKind,
        name: metadata.name,
        uid: metadata.uid!,
        ...extra,
      })),
    },
  };
}
const settle = () => new Promise((resolve) => setTimeout(resolve, 60));

describe('garbage collector', () => {
  it('deletes dependents, and theirs, in the background', async () => {
    const owner = make('ReplicaSet', 'rs');
    const pod = make('Pod', 'p', [owner]);
    run = await runControllers([garbageCollector()], {
      objects: [owner, pod, make('ConfigMap', 'c', [pod]), make('ConfigMap', 'other')],
    });
    await run.client.for(ReplicaSets).delete({ namespace: 'default', name: 'rs' }, { propagationPolicy: 'Background' });
    await run.eventually(() => run.api.list(ConfigMaps).length === 1);
    expect(run.api.get(Pods, 'p', 'default')).toBeUndefined();
    expect(run.api.get(ConfigMaps, 'other', 'default')).toBeDefined();
  });

  it('deletes what refers to owners that never were, and drops such references where another owner is there', async () => {
    const ghost = make('ReplicaSet', 'ghost');
    const real = make('ReplicaSet', 'real');
    run = await runControllers([garbageCollector()], {
      objects: [real, make('Pod', 'lost', [ghost]), make('Pod', 'shared', [ghost, real])],
    });
    await run.eventually(() => !run.api.get(Pods, 'lost', 'default'));
    await run.eventually(() => run.api.get(Pods, 'shared', 'default')?.metadata.ownerReferences?.length === 1);
  });

  it('keeps the owner in foreground deletion until blocking dependents are gone', async () => {
    const owner = make('ReplicaSet', 'rs');
    const held = make('Pod', 'held', [owner], { blockOwnerDeletion: true });
    run = await runControllers([garbageCollector()], {
      objects: [owner, { ...held, metadata: { ...held.metadata, finalizers: ['acme.dev/hold'] } }],
    });
    await run.client.for(ReplicaSets).delete({ namespace: 'default', name: 'rs' }, { propagationPolicy: 'Foreground' });
    await run.eventually(() => run.api.get(Pods, 'held', 'default')?.metadata.deletionTimestamp !== undefined);
    await settle();
    expect(run.api.get(ReplicaSets, 'rs', 'default')?.metadata.finalizers).toEqual(['foregroundDeletion']);
    await run.client
      .for(Pods)
      .patch({ namespace: 'default', name: 'held' }, 'merge', { metadata: { finalizers: null } });
    await run.eventually(() => !run.api.get(ReplicaSets, 'rs', 'default'));
  });

  it('breaks a circle of owners in foreground deletion', async () => {
    const a = make('ConfigMap', 'a');
    const b = make('ConfigMap', 'b', [a], { blockOwnerDeletion: true });
    const circularA = {
      ...a,
      metadata: { ...a.metadata, ...make('ConfigMap', 'a', [b], { blockOwnerDeletion: true }).metadata },
    };
    run = await runControllers([garbageCollector()], { objects: [circularA, b] });
    await run.client.for(ConfigMaps).delete({ namespace: 'default', name: 'a' }, { propagationPolicy: 'Foreground' });
    await run.eventually(() => run.api.list(ConfigMaps).length === 0);
  });

  it('orphans dependents', async () => {
    const owner = make('ReplicaSet', 'rs');
    run = await runControllers([garbageCollector()], { objects: [owner, make('Pod', 'p', [owner])] });
    await run.client.for(ReplicaSets).delete({ namespace: 'default', name: 'rs' }, { propagationPolicy: 'Orphan' });
    await run.eventually(() => !run.api.get(ReplicaSets, 'rs', 'default'));
    expect(run.api.get(Pods, 'p', 'default')?.metadata.ownerReferences).toEqual([]);
  });

  it('follows kinds that come later', async () => {
    run = await runControllers([garbageCollector()], { objects: [make('Pod', 'p', [make('Widget', 'w')])] });
    await settle();
    // An owner of a kind that nobody serves may exist for all we know.
    expect(run.api.get(Pods, 'p', 'default')).toBeDefined();
    run.api.addType(widgets);
    const widget = run.api.put(make('Widget', 'w2'));
    run.api.put(make('Secret', 's', [widget]));
    run.api.put({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.acme.dev' },
    });
    await run.eventually(() => run.api.requests.some(({ path }) => path === '/apis/acme.dev/v1/widgets'));
    await run.client.for(widgets).delete({ namespace: 'default', name: 'w2' });
    await run.eventually(() => !run.api.get(Secrets, 's', 'default'));
    await run.eventually(() => !run.api.get(Pods, 'p', 'default'), 5_000);
    expect(run.api.list(CustomResourceDefinitions)).toHaveLength(1);
  });

  it('leaves a cluster-scoped object with a namespaced owner alone', async () => {
    const owner = make('ConfigMap', 'gone');
    const node = make('Node', 'n', [owner]);
    run = await runControllers([garbageCollector()], {
      objects: [{ ...node, metadata: { ...node.metadata, namespace: undefined } }],
    });
    await settle();
    expect(run.api.list(Nodes)).toHaveLength(1);
  });
});
