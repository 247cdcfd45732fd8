import { expect, it } from 'vitest';
import { alwaysPullImages } from '../always-pull-images.ts';
import { denyServiceExternalIPs } from '../deny-service-external-ips.ts';
import { eventRateLimit } from '../event-rate-limit.ts';
import { podSecurity } from '../pod-security/pod-security.ts';
import { podTopologyLabels } from '../pod-topology-labels.ts';
import { admit, FakeLookup, pod } from '../testing/admit.ts';
import { readAdmissionConfiguration } from './admission-configuration.ts';

const podSecurityFile = {
  apiVersion: 'pod-security.admission.config.k8s.io/v1',
  kind: 'PodSecurityConfiguration',
  defaults: { enforce: 'baseline', 'enforce-version': 'v1.30', warn: 'restricted' },
  exemptions: { usernames: ['root'], namespaces: ['infra'], runtimeClasses: ['vm'] },
};
const limits = (...given: object[]) => ({
  apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
  kind: 'Configuration',
  limits: given,
});
const read = (plugins: unknown, files: Readonly<Record<string, unknown>> = {}) =>
  readAdmissionConfiguration(
    { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AdmissionConfiguration', plugins },
    '/etc/k8ts',
    async (path) => files[path],
  );

it('reads the configuration of plugins, inline and of other files', async () => {
  const { podSecurity: security, eventLimits } = await read(
    [
      { name: 'PodSecurity', configuration: podSecurityFile },
      { name: 'EventRateLimit', path: 'events.yaml' },
    ],
    { '/etc/k8ts/events.yaml': limits({ type: 'Namespace', qps: 1, burst: 2 }) },
  );
  expect(eventLimits).toEqual([{ type: 'Namespace', qps: 1, burst: 2, cacheSize: 4096 }]);
  const lookup = new FakeLookup();
  for (const name of ['shop', 'infra'])
    lookup.put('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const step = podSecurity({ lookup, ...security });
  const root = pod({ hostNetwork: true });
  await expect(admit(step, 'pods', root)).rejects.toThrow(
    'pods "web" is forbidden: violates PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)',
  );
  expect((await admit(step, 'pods', pod())).warnings[0]).toContain('would violate PodSecurity "restricted:latest"');
  for (const [change, spec, by] of [
    [{ user: { name: 'root', groups: [] } }, {}, 'user'],
    [{ namespace: 'infra' }, {}, 'namespace'],
    [{}, { runtimeClassName: 'vm' }, 'runtimeClass'],
  ] as const) {
    const { audit, warnings } = await admit(step, 'pods', pod({ hostNetwork: true, ...spec }), change);
    expect([audit.get('pod-security.kubernetes.io/exempt'), warnings]).toEqual([by, []]);
  }
});

it('reads quotas that must cover, selectors, tolerations and the image webhook', async () => {
  const tolerations = { default: [{ key: 'a', operator: 'Exists' }], whitelist: [{ key: 'a', tolerationSeconds: 3 }] };
  const matchScopes = [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }];
  expect(
    await read([
      {
        name: 'ResourceQuota',
        configuration: {
          apiVersion: 'apiserver.config.k8s.io/v1',
          kind: 'ResourceQuotaConfiguration',
          limitedResources: [{ resource: 'pods', matchContains: ['cpu'], matchScopes }],
        },
      },
      {
        name: 'PodNodeSelector',
        configuration: { podNodeSelectorPluginConfig: { clusterDefaultNodeSelector: 'a=b', shop: 'c=d' } },
      },
      {
        name: 'PodTolerationRestriction',
        configuration: {
          apiVersion: 'podtolerationrestriction.admission.k8s.io/v1alpha1',
          kind: 'Configuration',
          ...tolerations,
        },
      },
      {
        name: 'ImagePolicyWebhook',
        configuration: { imagePolicy: { kubeConfigFile: 'k', allowTTL: 50, denyTTL: -1 } },
      },
    ]),
  ).toEqual({
    limitedResources: [{ group: '', resource: 'pods', matchContains: ['cpu'], matchScopes }],
    nodeSelectors: { fallback: 'a=b', ofNamespaces: { shop: 'c=d' } },
    tolerations: { defaults: tolerations.default, whitelist: tolerations.whitelist },
    imagePolicy: { kubeConfigFile: 'k', allowTTLMs: 50_000, denyTTLMs: 0, retryBackoffMs: 500, defaultAllow: false },
  });
});

it.each([
  [
    [{ name: 'ImagePolicyWebhook', configuration: { imagePolicy: { kubeConfigFile: 'k', allowTTL: 9999 } } }],
    'imagePolicy.allowTTL: Invalid value: 9999',
  ],
  [[{ name: 'Priority', configuration: {} }], 'plugins[0].name: Unsupported value: "Priority"'],
  [[{ name: 'PodSecurity' }], 'plugins[0].configuration: Required value'],
  [[{ name: 'PodSecurity', configuration: podSecurityFile, file: 'x' }], 'plugins[0].file: Invalid value'],
  [
    [{ name: 'PodSecurity', configuration: { ...podSecurityFile, defaults: { enforce: 'none' } } }],
    'plugins[0] (PodSecurity): defaults.enforce: Invalid value: "none"',
  ],
  [[{ name: 'EventRateLimit', configuration: limits() }], 'plugins[0] (EventRateLimit): limits: Required value'],
  [
    [{ name: 'EventRateLimit', configuration: limits({ type: 'Server', qps: 0, burst: 1 }) }],
    'limits[0].qps: Invalid value: 0: must be positive',
  ],
])('refuses %j', async (plugins, message) => {
  await expect(read(plugins)).rejects.toThrow(message);
});

it('limits events by what is configured', async () => {
  let now = 0;
  const step = eventRateLimit(
    [
      { type: 'Namespace', qps: 1, burst: 2, cacheSize: 10 },
      { type: 'SourceAndObject', qps: 1, burst: 1, cacheSize: 10 },
    ],
    () => now,
  );
  const event = (namespace: string, name: string) =>
    admit(step, 'events', {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e', namespace },
      involvedObject: { kind: 'Pod', name },
    });
  await event('a', 'p');
  await expect(event('a', 'p')).rejects.toMatchObject({
    code: 429,
    message: 'Too many requests: Too many requests: limit reached on type SourceAndObject for key Podp',
  });
  await expect(event('a', 'q')).rejects.toThrow('limit reached on type Namespace for key a');
  await event('b', 'q2');
  now += 1000;
  await event('a', 'p');
});

it('pulls images always, denies external IPs, and labels pods by their node, where these are enabled', async () => {
  const { object } = await admit(alwaysPullImages, 'pods', pod({ containers: [{ name: 'c', image: 'i' }] }));
  expect(object).toMatchObject({ spec: { containers: [{ imagePullPolicy: 'Always' }] } });
  const service = (externalIPs: string[]) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'shop' },
    spec: { externalIPs },
  });
  await expect(admit(denyServiceExternalIPs, 'services', service(['1.2.3.4']))).rejects.toThrow(
    'services "s" is forbidden: Use of external IPs is denied by admission control.',
  );
  const oldObject = service(['1.2.3.4']) as never;
  await admit(denyServiceExternalIPs, 'services', service(['1.2.3.4']), { operation: 'UPDATE', oldObject });
  const labels = { 'topology.kubernetes.io/zone': 'z', other: 'o' };
  const nodes = new FakeLookup().put('nodes', { kind: 'Node', metadata: { name: 'n', labels } });
  const binding = { metadata: { name: 'web', namespace: 'shop' }, target: { kind: 'Node', name: 'n' } };
  const bound = await admit(podTopologyLabels(nodes), 'pods', binding, { subresource: 'binding' });
  expect(bound.object.metadata.labels).toEqual({ 'topology.kubernetes.io/zone': 'z' });
});
