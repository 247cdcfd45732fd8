import { describe, expect, it } from 'vitest';
import { builtinKinds } from './builtin.ts';
import { create, type Loose, update } from './core/testing.ts';

/** What the API groups beside core refuse and warn of, in the words of Kubernetes 1.36. */

const kinds = builtinKinds();
const find = (name: string) => kinds.findLast(({ resource, group }) => `${resource}.${group}` === name)!;

function errorsOf(name: string, object: object): string[] {
  const kind = find(name);
  const created = create(kind, object);
  return [...(kind.validate?.(created) ?? []), ...(kind.validateCreate?.(created) ?? [])].map(String);
}

const containers = [{ name: 'c', image: 'i' }];
const labels = { app: 'web' };
const workload = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
const jobTemplate = { spec: { template: { spec: { containers, restartPolicy: 'Never' } } } };
const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const ingressFrom = (cidr: string, ...except: string[]) => ({
  spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr, except } }] }] },
});
const slice = (device: object) => ({
  spec: { driver: 'd.io', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, nodeName: 'n', devices: [device] },
});
const claimOf = (exactly: object) => ({
  spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', ...exactly } }] } },
});
const attachment = (inlineVolumeSpec: object) => ({
  spec: { attacher: 'a.io', nodeName: 'n', source: { inlineVolumeSpec } },
});
const csi = { driver: 'a.io', volumeHandle: 'v' };
const webhook = {
  name: 'hook.example.com',
  clientConfig: { url: 'https://hook.example.com/' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const mismatch = '`selector` does not match template `labels`';

const created: readonly (readonly [kind: string, object: object, ...errors: (string | RegExp)[]])[] = [
  [
    'deployments.apps',
    { spec: { template: workload.template } },
    'spec.selector: Required value',
    `spec.template.metadata.labels: Invalid value: {"app":"web"}: ${mismatch}`,
  ],
  [
    'replicasets.apps',
    { spec: { ...workload, selector: { matchLabels: { app: '-' } } } },
    /^spec\.selector\.matchLabels: Invalid value: "-": a valid label must be/,
    /^spec\.selector: Invalid value: \{"matchLabels":\{"app":"-"\}\}: invalid label selector$/,
  ],
  [
    'statefulsets.apps',
    { spec: { ...workload, serviceName: 'a.b', volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: {} }] } },
    'spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required',
    'spec.volumeClaimTemplates[0].spec.resources[storage]: Required value',
    'spec.serviceName: Invalid value: "a.b": must not contain dots',
  ],
  [
    'cronjobs.batch',
    { spec: { schedule: 'TZ=UTC 0 * * * *', jobTemplate } },
    'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
  ],
  [
    'horizontalpodautoscalers.autoscaling',
    { spec: { scaleTargetRef: { ...target, apiVersion: 'a/b/c' }, maxReplicas: 0 } },
    'spec.maxReplicas: Required value: must be set and greater than 0',
    'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
    'spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
  ],
  [
    'networkpolicies.networking.k8s.io',
    ingressFrom('10.0.0.5/24', '010.0.0.0/28', '10.1.0.0/16'),
    'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.5/24": must not have bits set beyond the prefix length',
    'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "010.0.0.0/28": must not have leading 0s in IP or prefix length',
    'spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "10.1.0.0/16": must be a strict subset of `cidr`',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.01', '2001:db8::1', '127.0.0.1'] }] },
    'endpoints[0].addresses[0]: Invalid value: "10.0.0.01": must not have leading 0s',
    'endpoints[0].addresses: Invalid value: "2001:db8::1": must be an IPv4 address',
    'endpoints[0].addresses[2]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
  ],
  [
    'volumeattachments.storage.k8s.io',
    attachment({ capacity: { storage: '1Gi' }, volumeMode: 'Block', nfs: { server: 's', path: '/' } }),
    'spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes',
    'spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes',
    'spec.source.inlineVolumeSpec.accessModes: Required value',
    'spec.source.inlineVolumeSpec.volumeMode: Forbidden: may not be specified in the context of inline volumes',
  ],
  ['volumeattachments.storage.k8s.io', attachment({ accessModes: ['ReadWriteOnce'], csi })],
  ['priorityclasses.scheduling.k8s.io', { value: 1, preemptionPolicy: '' }, 'preemptionPolicy: Required value'],
  [
    'mutatingwebhookconfigurations.admissionregistration.k8s.io',
    { webhooks: [{ ...webhook, clientConfig: { url: 'hook' } }] },
    `webhooks[0].clientConfig.url: Invalid value: "": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
    'webhooks[0].clientConfig.url: Invalid value: "": host must be specified; desired format: https://host[/path]',
  ],
  [
    'resourceclaims.resource.k8s.io',
    claimOf({
      tolerations: [
        { operator: 'Equal', value: 'v' },
        { key: 'k', operator: 'Exists', value: 'v' },
        { key: 'k', operator: 'Like' },
      ],
    }),
    'spec.devices.requests[0].exactly.tolerations[1].value: Invalid value: "v": must be empty for operator `Exists`',
    'spec.devices.requests[0].exactly.tolerations[2].operator: Unsupported value: "Like": supported values: "Equal", "Exists"',
  ],
  [
    'resourceslices.resource.k8s.io',
    slice({
      name: 'd',
      allowMultipleAllocations: true,
      bindingConditions: ['ready'],
      capacity: { memory: { value: '8Gi', requestPolicy: { default: '3Gi', validValues: ['2Gi', '4Gi'] } } },
    }),
    'spec.devices[0].capacity[memory].requestPolicy.validValues: Invalid value: "3Gi": default value is not valid according to the requestPolicy',
    'spec.devices[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions',
  ],
  [
    'resourceslices.resource.k8s.io',
    slice({
      name: 'd',
      allowMultipleAllocations: true,
      attributes: { 'a/b/c': { int: 1 }, both: { int: 1, bool: true } },
      capacity: { memory: { value: '8Gi', requestPolicy: { default: '3Gi', validRange: { min: '4Gi', step: '0' } } } },
    }),
    'spec.devices[0].attributes: Invalid value: "a/b/c": must not contain more than one slash',
    'spec.devices[0].attributes[both]: Invalid value: {"IntValue":1,"BoolValue":true,"StringValue":null,"VersionValue":null,"IntValues":null,"BoolValues":null,"StringValues":null,"VersionValues":null}: exactly one value must be specified',
    'spec.devices[0].capacity[memory].requestPolicy.validRange.default: Invalid value: "3Gi": default is less than min: 4Gi',
    'spec.devices[0].capacity[memory].requestPolicy.validRange.step: Invalid value: "0": must be greater than zero',
  ],
  [
    'runtimeclasses.node.k8s.io',
    { handler: 'runc', overhead: { podFixed: { gpus: '1', cpu: '-1' } } },
    'overhead.limits[gpus]: Invalid value: "gpus": must be a standard resource type or fully qualified',
    'overhead.limits[gpus]: Invalid value: "gpus": must be a standard resource for containers',
    'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
  ],
];

describe('objects that are refused', () => {
  it.each(created.map((row): [string, (typeof created)[number]] => [row[0], row]))('%s %#', (name, row) => {
    const [, object, ...expected] = row;
    expect(errorsOf(name, object)).toEqual(
      expected.map((each) => (typeof each === 'string' ? each : expect.stringMatching(each))),
    );
  });
});

/** An object that came to be before a rule keeps what it has; what changes must obey. */
const kept: readonly (readonly [kind: string, old: object, change: (object: Loose) => void, ...errors: unknown[]])[] = [
  [
    'cronjobs.batch',
    { spec: { schedule: 'TZ=UTC 0 * * * *', jobTemplate } },
    ({ spec }) => {
      spec.schedule = 'TZ=UTC 1 * * * *';
    },
  ],
  [
    'networkpolicies.networking.k8s.io',
    ingressFrom('10.0.0.5/24'),
    ({ spec }) => {
      spec.ingress.push({ from: [{ ipBlock: { cidr: '10.0.0.6/24' } }] });
    },
    'spec.ingress[1].from[0].ipBlock.cidr: Invalid value: "10.0.0.6/24": must not have bits set beyond the prefix length',
  ],
  [
    'networkpolicies.networking.k8s.io',
    { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['-'] }] } } },
    ({ spec }) => {
      spec.ingress = [{ from: [{ podSelector: { matchLabels: { app: '-' } } }] }];
    },
    expect.stringMatching(
      /^spec\.ingress\[0\]\.from\[0\]\.podSelector\.matchLabels: Invalid value: "-": a valid label/,
    ),
  ],
  [
    'poddisruptionbudgets.policy',
    { spec: { selector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['-'] }] } } },
    ({ spec }) => {
      spec.minAvailable = '-1%';
    },
    expect.stringMatching(/^spec\.minAvailable: Invalid value: "-1%": a valid percent string/),
  ],
  [
    'ingresses.networking.k8s.io',
    { spec: { rules: [{ host: '*.a.io', http: { paths: [] } }], tls: [{ secretName: 'A' }] } },
    ({ spec }) => {
      spec.tls.push({ secretName: 'B' });
      spec.rules.push({ host: '*.b.io', http: { paths: [] } }, { host: 'b.io', http: { paths: [] } });
    },
    'spec.rules[2].http.paths: Required value',
  ],
  [
    'jobs.batch',
    {
      metadata: { name: 'x', uid: 'u' },
      spec: { ...jobTemplate.spec, template: { ...jobTemplate.spec.template } },
    },
    ({ spec }) => {
      spec.activeDeadlineSeconds = -1;
    },
    'spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    'resourceslices.resource.k8s.io',
    slice({
      name: 'd',
      allowMultipleAllocations: true,
      capacity: { memory: { value: '8Gi', requestPolicy: { default: '1Gi', validValues: ['2Gi'] } } },
    }),
    ({ spec }) => {
      spec.devices.push({ ...structuredClone(spec.devices[0]), name: 'e' });
    },
    'spec.devices[1].capacity[memory].requestPolicy.validValues: Invalid value: "1Gi": default value is not valid according to the requestPolicy',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.01'] }] },
    ({ metadata, endpoints }) => {
      metadata.labels = { a: 'b' };
      endpoints[0].addresses.push('10.0.0.2');
    },
    'endpoints[0].addresses[0]: Invalid value: "10.0.0.01": must not have leading 0s',
  ],
  [
    'resourceclaims.resource.k8s.io',
    claimOf({ capacity: { requests: { memory: '1Gi' } } }),
    ({ spec }) => {
      spec.devices.requests[0].exactly.count = 2;
    },
    'spec: Invalid value: {"Devices":{"Requests":[{"Name":"r","Exactly":{"DeviceClassName":"c","Selectors":null,"AllocationMode":"ExactCount","Count":2,"AdminAccess":null,"Tolerations":null,"Capacity":{"Requests":{"memory":"1Gi"}}},"FirstAvailable":null}],"Constraints":null,"Config":null}}: field is immutable',
  ],
  [
    'validatingwebhookconfigurations.admissionregistration.k8s.io',
    { webhooks: [{ ...webhook, sideEffects: 'Some', admissionReviewVersions: ['v2'] }] },
    ({ webhooks }) => {
      webhooks[0].sideEffects = 'Lots';
      webhooks[0].timeoutSeconds = 31;
    },
    'webhooks[0].sideEffects: Unsupported value: "Lots": supported values: "None", "NoneOnDryRun", "Some", "Unknown"',
    'webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
  ],
];

describe('objects from before a rule', () => {
  it.each(kept.map((row): [string, (typeof kept)[number]] => [row[0], row]))('%s %#', (name, row) => {
    const [, object, change, ...expected] = row;
    const old = create(find(name), object);
    expect(update(find(name), old, () => {}).errors).toEqual([]);
    expect(update(find(name), old, change).errors).toEqual(expected);
  });
});

describe('mandatory flow control objects', () => {
  it.each([
    ['flowschemas', 'catch-all', "spec: Invalid value: .*: spec of 'catch-all' must equal the fixed value"],
    [
      'prioritylevelconfigurations',
      'catch-all',
      "spec: Invalid value: .*: spec of 'catch-all' must equal the fixed value",
    ],
    [
      'prioritylevelconfigurations',
      'exempt',
      "spec: Invalid value: .*: spec of 'exempt' except the 'spec.exempt' field must equal the fixed value",
    ],
  ])('%s/%s', (resource, name, expected) => {
    const kind = find(`${resource}.flowcontrol.apiserver.k8s.io`);
    const spec = { matchingPrecedence: 7, type: 'Limited', limited: {}, priorityLevelConfiguration: { name: 'x' } };
    const object = create(kind, { spec }, name);
    expect((kind.validate?.(object) ?? []).map(String)).toContainEqual(expect.stringMatching(`^${expected}$`));
  });
});

it('the template of a suspended job may change where its pods go and what they get, while none runs', () => {
  const kind = find('jobs.batch');
  const old = create(kind, { metadata: { name: 'x', uid: 'u' }, spec: { ...jobTemplate.spec, suspend: true } });
  const direct = ({ spec: { template } }: Loose) => {
    template.spec.nodeSelector = { zone: 'a' };
    template.spec.containers[0].resources = { requests: { cpu: '1' } };
    template.metadata.annotations = { a: 'b' };
  };
  expect(update(kind, old, direct).errors).toEqual([]);
  expect(
    update(kind, old, (job) => {
      direct(job);
      job.spec.template.spec.containers[0].image = 'other';
    }).errors,
  ).toEqual([expect.stringMatching(/^spec\.template\.spec: Invalid value: \{"Volumes":null,.*: field is immutable$/)]);
  const running = { ...old, status: { active: 1 } };
  expect(update(kind, running, direct).errors).toEqual([
    expect.stringMatching(/^spec\.template: Invalid value: .*"Spec":\{.*: field is immutable$/),
  ]);
});

it.each([
  [
    'statefulsets.apps',
    { spec: { ...workload, revisionHistoryLimit: -1 } },
    'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
  ],
  [
    'networkpolicies.networking.k8s.io',
    ingressFrom('FE80::/64'),
    'spec.ingress[0].from[0].ipBlock.cidr: IPv6 CIDR value "FE80::/64" should be in RFC 5952 canonical format ("fe80::/64")',
  ],
  [
    'resourceslices.resource.k8s.io',
    { spec: { driver: 'GPU.example.com' } },
    'spec.driver: driver names should be lowercase; "GPU.example.com" contains uppercase characters',
  ],
  [
    'ingresses.networking.k8s.io',
    { metadata: { name: 'x', annotations: { 'kubernetes.io/ingress.class': 'n' } }, spec: {} },
    'annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead',
  ],
  [
    'storageclasses.storage.k8s.io',
    {
      allowedTopologies: [
        { matchLabelExpressions: [{ key: 'failure-domain.beta.kubernetes.io/zone', values: ['a'] }] },
      ],
    },
    'allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  ],
  [
    'runtimeclasses.node.k8s.io',
    { scheduling: { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } } },
    'scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead',
  ],
  [
    'csistoragecapacities.storage.k8s.io',
    { nodeTopology: { matchExpressions: [{ key: 'beta.kubernetes.io/arch', operator: 'Exists' }] } },
    'nodeTopology.matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'FQDN', endpoints: [] },
    'spec.addressType: FQDN endpoints are deprecated',
  ],
])('%s warn', (name, object, warning) => {
  const kind = find(name);
  expect(kind.warnings?.(create(kind, object))).toContain(warning);
});

it.each([
  [
    'statefulsets.apps',
    { spec: { ...workload, updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } } },
    'maxUnavailable',
  ],
  ['csidrivers.storage.k8s.io', { spec: { preventPodSchedulingIfMissing: true } }, 'preventPodSchedulingIfMissing'],
  ['leases.coordination.k8s.io', { spec: { strategy: 'OldestEmulationVersion' } }, 'strategy'],
  ['resourceslices.resource.k8s.io', slice({ name: 'd', attributes: { a: { ints: [1] } } }), 'ints'],
])('%s do without what is off in this version', (name, object, field) => {
  const kind = find(name);
  const old = create(kind, object);
  expect(JSON.stringify(old)).not.toContain(`"${field}"`);
  const change = (next: Loose) => Object.assign(next, structuredClone(object));
  expect(JSON.stringify(update(kind, old, change).object)).not.toContain(`"${field}"`);
  // One from another time keeps it.
  const before = { ...old, ...structuredClone(object) };
  expect(JSON.stringify(update(kind, before, change).object)).toContain(`"${field}"`);
});

it('warns of the addresses that an Ingress is reached at', () => {
  const object = { status: { loadBalancer: { ingress: [{ ip: '10.0.0.1' }, { ip: 'FD00::1' }] } } };
  expect(find('ingresses.networking.k8s.io').subresources.status?.warnings?.(object, {})).toEqual([
    'status.loadBalancer.ingress[1]: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")',
  ]);
});

it('drops what was said of devices that a claim loses', () => {
  const kind = find('resourceclaims.resource.k8s.io');
  const device = (name: string) => ({ driver: 'd.io', pool: 'p', device: name });
  const results = [
    { request: 'r', ...device('a') },
    { request: 'r', ...device('b') },
  ];
  const old = { metadata: {}, status: { allocation: { devices: { results } }, devices: [device('a'), device('b')] } };
  const now: Loose = structuredClone({
    ...old,
    status: { ...old.status, allocation: { devices: { results: [results[1]] } } },
  });
  kind.subresources.status?.prepareForUpdate?.(now, old);
  expect(now.status.devices).toEqual([device('b')]);
});

it('keeps the mark of empty selectors apart from what else a PodDisruptionBudget selects', () => {
  const mark = { key: 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match', operator: 'Exists' };
  const selectorOf = (selector: object) =>
    create(find('poddisruptionbudgets.policy'), { spec: { selector } }).spec.selector;
  expect(selectorOf({ matchExpressions: [mark] })).toEqual({ matchExpressions: [mark] });
  expect(selectorOf({ matchLabels: labels, matchExpressions: [mark] })).toEqual({ matchLabels: labels });
});

it('warns of the claims of a StatefulSet', () => {
  const claim = { metadata: { name: 'd' }, spec: { resources: { requests: { storage: '100m' } } } };
  const object: Loose = { metadata: {}, spec: { ...workload, volumeClaimTemplates: [claim] } };
  const warnings = find('statefulsets.apps').warnings!;
  const warning = 'fractional byte value "100m" is invalid, must be an integer';
  expect(warnings(object)).toEqual([`spec.volumeClaimTemplates[0].resources.requests[storage]: ${warning}`]);
  expect(warnings(object, object)).toEqual([
    `spec.volumeClaimTemplates[0].Spec.resources.requests[storage]: ${warning}`,
  ]);
});

it('names the fields of flow schema subjects in order', () => {
  const subject = { kind: 'User', group: { name: 'g' } };
  const rule = { verbs: ['*'], nonResourceURLs: ['*'] };
  const schema = {
    spec: {
      priorityLevelConfiguration: { name: 'p' },
      rules: [{ subjects: [subject], nonResourceRules: [rule] }],
    },
  };
  expect(errorsOf('flowschemas.flowcontrol.apiserver.k8s.io', schema)).toEqual([
    "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
    "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
  ]);
});
