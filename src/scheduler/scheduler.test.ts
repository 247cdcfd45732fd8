import { afterEach, describe, expect, it } from 'vitest';
import type { Node, Pod } from '../api/types/core.v1.gen.ts';
import { SchedulerCache } from './cache/cache.ts';
import { podInfo } from './cache/node-info.ts';
import { Decider, type Decision, type NoDecision } from './decide.ts';
import type { SchedulerPlugin } from './framework.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodePorts } from './plugins/node-ports.ts';
import { nodeResourcesFit } from './plugins/node-resources-fit.ts';
import { nodeUnschedulable } from './plugins/node-unschedulable.ts';
import { podTopologySpread } from './plugins/pod-topology-spread.ts';
import { taintToleration } from './plugins/taint-toleration.ts';
import { findPreemption } from './preemption.ts';
import { SchedulingQueue } from './queue.ts';

const node = (name: string, overrides: { labels?: object; spec?: object; cpu?: string } = {}): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...overrides.labels } },
    spec: overrides.spec ?? {},
    status: { allocatable: { cpu: overrides.cpu ?? '2', memory: '4Gi', pods: '110' } },
  }) as unknown as Node;
let serial = 0;
const pod = (spec: object = {}, labels: object = {}, cpu = '100m'): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${serial++}`, namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }], ...spec },
  }) as unknown as Pod;

function clusterOf(nodes: Node[], pods: Pod[] = []) {
  const cache = new SchedulerCache(() => undefined);
  nodes.forEach((n) => cache.setNode(n));
  pods.forEach((p) => cache.setPod(p));
  const plugins: SchedulerPlugin[] = [
    nodeUnschedulable,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit(cache.resources.names),
    podTopologySpread,
    interPodAffinity,
    imageLocality,
  ];
  const decider = new Decider(plugins);
  const decide = (p: Pod) => decider.decide(podInfo(p, cache.resources), cache);
  /** Decides and puts the pod there. */
  const place = (p: Pod) => {
    const outcome = decide(p);
    if (!('node' in outcome)) throw new Error(outcome.message);
    cache.assume(podInfo(p, cache.resources), outcome.node.name);
    return outcome.node.name;
  };
  return { cache, plugins, decide, place };
}
const nodeOf = (outcome: Decision | NoDecision) => ('node' in outcome ? outcome.node.name : outcome.message);
const on = (p: Pod, nodeName: string): Pod => ({ ...p, spec: { ...p.spec, nodeName } });

describe('deciding', () => {
  it('spreads by what is left and says what is short', () => {
    const { place, decide } = clusterOf([node('a'), node('b')]);
    expect(new Set([place(pod({}, {}, '1')), place(pod({}, {}, '1'))])).toEqual(new Set(['a', 'b']));
    place(pod({}, {}, '1'));
    place(pod({}, {}, '1'));
    expect(nodeOf(decide(pod()))).toBe('0/2 nodes are available: 2 Insufficient cpu.');
  });

  it('honours selectors, cordons and taints with upstream wording', () => {
    const { decide } = clusterOf([
      node('plain'),
      node('gpu', { labels: { gpu: 'yes' } }),
      node('cordoned', { spec: { unschedulable: true } }),
      node('tainted', { spec: { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] } }),
    ]);
    expect(nodeOf(decide(pod({ nodeSelector: { gpu: 'yes' } })))).toBe('gpu');
    expect(nodeOf(decide(pod({ nodeSelector: { gpu: 'no' } })))).toBe(
      "0/4 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.",
    );
    const tolerating = pod({
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      nodeSelector: { 'kubernetes.io/hostname': 'tainted' },
    });
    expect(nodeOf(decide(tolerating))).toBe('tainted');
  });

  it('does not give a host port twice', () => {
    const port = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] };
    const { place, decide } = clusterOf([node('a')]);
    place(pod(port));
    expect(nodeOf(decide(pod(port)))).toContain("didn't have free ports for the requested pod ports");
    const other = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, protocol: 'UDP' }] }] };
    expect(nodeOf(decide(pod(other)))).toBe('a');
  });

  it('keeps anti-affine pods apart in both directions and affine ones together', () => {
    const apart = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' },
          ],
        },
      },
    };
    const { place, decide } = clusterOf([node('a'), node('b')]);
    const first = place(pod(apart, { app: 'x' }));
    expect(place(pod({}, { app: 'x' }))).not.toBe(first);
    expect(nodeOf(decide(pod(apart, { app: 'x' })))).toMatch(
      /didn't (match pod anti-affinity|satisfy existing pods anti-affinity) rules/,
    );
    const together = {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: { app: 'db' } }, topologyKey: 'kubernetes.io/hostname' },
          ],
        },
      },
    };
    const home = place(pod(together, { app: 'db' }));
    for (let i = 0; i < 4; i++) expect(place(pod(together))).toBe(home);
  });

  it('keeps the skew of a spread constraint', () => {
    const spread = {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'zone',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { app: 's' } },
        },
      ],
    };
    const { place } = clusterOf([
      node('a', { labels: { zone: '1' } }),
      node('b', { labels: { zone: '2' } }),
      node('c', { labels: { zone: '2' } }),
    ]);
    const zones = Array.from({ length: 8 }, () => (place(pod(spread, { app: 's' })) === 'a' ? 1 : 2));
    for (let i = 1; i <= zones.length; i++) {
      const first = zones.slice(0, i).filter((zone) => zone === 1).length;
      expect(Math.abs(first - (i - first))).toBeLessThanOrEqual(1);
    }
  });
});

describe('preemption', () => {
  it('evicts the fewest and least important pods, and none of equal rank', () => {
    const low = (name: string, cpu: string, priority: number) =>
      on({ ...pod({ priority }, {}, cpu), metadata: { name, namespace: 'default' } } as Pod, name.split('-')[0]!);
    const { cache, plugins, decide } = clusterOf(
      [node('a'), node('b')],
      [low('a-1', '1', 5), low('a-2', '1', 5), low('b-1', '2', 1)],
    );
    const wanting = pod({ priority: 10 }, {}, '1');
    const outcome = decide(wanting) as NoDecision;
    const request = {
      pod: podInfo(wanting, cache.resources),
      state: outcome.state,
      snapshot: cache,
      plugins,
      rejections: outcome.rejections,
      budgets: [],
    };
    expect(findPreemption(request)).toMatchObject({ node: 'b', victims: [{ metadata: { name: 'b-1' } }] });
    const modest = pod({ priority: 1 }, {}, '1');
    expect(findPreemption({ ...request, pod: podInfo(modest, cache.resources) })).toBeUndefined();
  });
});

describe('SchedulingQueue', () => {
  const queues: SchedulingQueue[] = [];
  const queueOf = (gate = (_: Pod): string | undefined => undefined) => {
    const queue = new SchedulingQueue({
      eventsOf: (plugin) => (plugin === 'Fit' ? ['node-added'] : undefined),
      gate,
      onReady() {},
    });
    queues.push(queue);
    return queue;
  };
  afterEach(() => queues.splice(0).forEach((queue) => queue.stop()));

  it('gives the most important first, then the oldest', () => {
    const queue = queueOf();
    [1, 5, 3, 5, 2].forEach((priority, i) =>
      queue.put(
        `${priority}-${i}`,
        {
          ...pod({ priority }),
          metadata: { name: 'x', namespace: 'd', creationTimestamp: `2026-01-01T00:00:0${i}Z` },
        } as Pod,
        true,
      ),
    );
    const order = [];
    for (let item = queue.pop(); item; item = queue.pop()) order.push(item.key);
    expect(order).toEqual(['5-1', '5-3', '3-2', '2-4', '1-0']);
  });

  it('parks a rejected pod until an event that helps, and misses none that came during the attempt', async () => {
    const queue = queueOf();
    queue.put('a', pod(), true);
    const first = queue.pop()!;
    queue.retry(first, ['Fit']);
    queue.notify('pod-deleted');
    expect(queue.pop()).toBeUndefined();
    queue.notify('node-added');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const second = queue.pop()!;
    queue.notify('node-added'); // while in flight
    queue.retry(second, ['Fit']);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(queue.pop()?.key).toBe('a');
  });

  it('holds gated pods', () => {
    const queue = queueOf((p) => (p.spec.schedulingGates?.length ? 'gated' : undefined));
    queue.put('a', pod({ schedulingGates: [{ name: 'g' }] }), true);
    expect(queue.pop()).toBeUndefined();
    queue.put('a', pod(), true);
    expect(queue.pop()?.key).toBe('a');
  });
});
