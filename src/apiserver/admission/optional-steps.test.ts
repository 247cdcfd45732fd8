import { describe, expect, it } from 'vitest';
import { alwaysDeny } from './always.ts';
import { limitPodHardAntiAffinityTopology } from './hard-anti-affinity-topology.ts';
import { imagePolicyWebhook } from './image-policy-webhook.ts';
import { namespaceAutoProvision, namespaceExists } from './namespace-existence.ts';
import { podNodeSelector } from './pod-node-selector.ts';
import { podTolerationRestriction } from './pod-toleration-restriction.ts';
import { admit, FakeLookup, pod } from './testing/admit.ts';

const namespace = (annotations: Record<string, string> = {}) =>
  new FakeLookup().put('namespaces', { kind: 'Namespace', metadata: { name: 'shop', annotations } });

describe('PodNodeSelector', () => {
  const selectors = { fallback: 'disk=hdd', ofNamespaces: { shop: 'env=test,disk=ssd,disk2=x' } };
  const step = podNodeSelector(
    namespace({ 'scheduler.alpha.kubernetes.io/node-selector': 'env=test, disk=ssd' }),
    selectors,
  );

  it('adds the selector of the namespace, and refuses what conflicts or goes beyond it', async () => {
    expect((await admit(step, 'pods', pod({ nodeSelector: { env: 'test' } }))).object.spec).toMatchObject({
      nodeSelector: { env: 'test', disk: 'ssd' },
    });
    await expect(admit(step, 'pods', pod({ nodeSelector: { env: 'live' } }))).rejects.toThrow(
      'pods "web" is forbidden: pod node label selector conflicts with its namespace node label selector',
    );
    await expect(admit(step, 'pods', pod({ nodeSelector: { rack: '1' } }))).rejects.toThrow(
      'pods "web" is forbidden: pod node label selector labels conflict with its namespace whitelist',
    );
    const { object } = await admit(
      podNodeSelector(namespace(), { ...selectors, ofNamespaces: {} }),
      'pods',
      pod({ nodeSelector: { rack: '1' } }),
    );
    expect(object.spec).toMatchObject({ nodeSelector: { disk: 'hdd', rack: '1' } });
  });
});

describe('PodTolerationRestriction', () => {
  const exists = (key: string, rest: object = {}) => ({ key, operator: 'Exists', ...rest });
  const annotated = (defaults?: object[], whitelist?: object[]) =>
    namespace({
      ...(defaults ? { 'scheduler.alpha.kubernetes.io/defaultTolerations': JSON.stringify(defaults) } : {}),
      ...(whitelist ? { 'scheduler.alpha.kubernetes.io/tolerationsWhitelist': JSON.stringify(whitelist) } : {}),
    });
  const pressure = exists('node.kubernetes.io/memory-pressure', { effect: 'NoSchedule' });
  const requesting = { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] };

  it('merges what the namespace tolerates, leaving out what others cover', async () => {
    const step = podTolerationRestriction(annotated([exists('gpu')]), { defaults: [exists('x')], whitelist: [] });
    const own = { key: 'gpu', operator: 'Equal', value: 'a', effect: 'NoSchedule' };
    const tolerated = async (spec: object) => (await admit(step, 'pods', pod(spec))).object.spec;
    expect(await tolerated({ tolerations: [own] })).toMatchObject({ tolerations: [exists('gpu')] });
    expect(await tolerated(requesting)).toMatchObject({ tolerations: [exists('gpu'), pressure] });
  });

  it('holds pods to the whitelist of the namespace, or else of the cluster', async () => {
    const cluster = { defaults: [exists('x')], whitelist: [exists('x')] };
    const refused = (scope: string) =>
      `pod tolerations (possibly merged with namespace default tolerations) conflict with its ${scope} whitelist`;
    const step = podTolerationRestriction(
      annotated(undefined, [exists('gpu', { effect: 'NoExecute', tolerationSeconds: 9 })]),
    );
    const waiting = (tolerationSeconds: number) =>
      pod({ tolerations: [exists('gpu', { effect: 'NoExecute', tolerationSeconds })] });
    await admit(step, 'pods', waiting(9));
    await expect(admit(step, 'pods', waiting(10))).rejects.toThrow(refused('namespace'));
    await admit(podTolerationRestriction(annotated(), cluster), 'pods', pod());
    await expect(
      admit(podTolerationRestriction(annotated(), cluster), 'pods', pod({ tolerations: [exists('y')] })),
    ).rejects.toThrow(refused('cluster'));
    // An empty annotation allows all.
    const open = podTolerationRestriction(
      namespace({ 'scheduler.alpha.kubernetes.io/tolerationsWhitelist': '' }),
      cluster,
    );
    await admit(open, 'pods', pod({ tolerations: [exists('y')] }));
  });
});

it('ImagePolicyWebhook asks once per images and annotations, and does as it is told when the webhook fails', async () => {
  const asked: object[] = [];
  let clock = 0;
  const options = {
    allowTTLMs: 1000,
    denyTTLMs: 0,
    now: () => clock,
    review: async (review: object) => {
      asked.push((review as { spec: object }).spec);
      if (JSON.stringify(review).includes('broken')) throw new Error('no route');
      return JSON.stringify(review).includes('bad')
        ? { allowed: false, reason: 'bad image' }
        : { allowed: true, auditAnnotations: { by: 'policy' } };
    },
  };
  const step = imagePolicyWebhook({ ...options, defaultAllow: false });
  const web = pod({}, { annotations: { 'a.image-policy.k8s.io/ticket': '1', other: '2' } });
  expect((await admit(step, 'pods', web)).audit.get('imagepolicywebhook.image-policy.k8s.io/by')).toBe('policy');
  await admit(step, 'pods', web);
  expect(asked).toEqual([
    { containers: [{ image: 'i' }], annotations: { 'a.image-policy.k8s.io/ticket': '1' }, namespace: 'shop' },
  ]);
  clock = 1000;
  await admit(step, 'pods', web);
  expect(asked).toHaveLength(2);
  const of = (image: string) => pod({ containers: [{ name: 'c', image }] });
  await expect(admit(step, 'pods', of('bad'))).rejects.toThrow(
    'pods "web" is forbidden: image policy webhook backend denied one or more images: bad image',
  );
  await expect(admit(step, 'pods', of('broken'))).rejects.toThrow('pods "web" is forbidden: no route');
  const { audit } = await admit(imagePolicyWebhook({ ...options, defaultAllow: true }), 'pods', of('broken'));
  expect(audit.get('imagepolicywebhook.image-policy.k8s.io/failed-open')).toBe('true');
});

it('NamespaceAutoProvision makes the namespace, NamespaceExists demands it', async () => {
  const made: string[] = [];
  const provision = (lookup: FakeLookup) => namespaceAutoProvision(lookup, async (name) => made.push(name));
  await admit(provision(namespace()), 'pods', pod());
  expect(made).toEqual([]);
  await admit(provision(new FakeLookup()), 'pods', pod());
  expect(made).toEqual(['shop']);
  await admit(namespaceExists(namespace()), 'pods', pod());
  await expect(admit(namespaceExists(new FakeLookup()), 'pods', pod())).rejects.toThrow('namespaces "shop" not found');
});

it('LimitPodHardAntiAffinityTopology and AlwaysDeny refuse', async () => {
  const apart = (topologyKey: string) =>
    pod({
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey }] } },
    });
  await admit(limitPodHardAntiAffinityTopology, 'pods', apart('kubernetes.io/hostname'));
  await expect(admit(limitPodHardAntiAffinityTopology, 'pods', apart('zone'))).rejects.toThrow(
    'affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed',
  );
  await expect(admit(alwaysDeny, 'pods', pod())).rejects.toThrow('admission control is denying all modifications');
});
