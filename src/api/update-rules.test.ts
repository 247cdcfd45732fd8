import { describe, expect, it } from 'vitest';
import { draft } from '../apimachinery/json.ts';
import { applyDefaults } from '../apimachinery/typecheck.ts';
import { builtinKinds } from './builtin.ts';
import { create, type Loose, update } from './core/testing.ts';

/** What users meet when they change what may not change: kind, the object, the change, and the words of the refusal. */

const kinds = builtinKinds();
const find = (name: string) =>
  // The newest version comes last.
  kinds.findLast(({ resource, group }) => (group ? `${resource}.${group}` : resource) === name)!;

const labels = { app: 'web' };
const selector = { matchLabels: labels };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const never = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
const workload = { spec: { selector, template } };
const reselect = (object: Loose) => {
  object.spec.selector = { matchLabels: { app: 'other' } };
};
const immutable = (path: string) => new RegExp(`^${path}: Invalid value: .*: field is immutable$`);
const loadBalancer = {
  spec: {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30001,
    loadBalancerClass: 'a.io/b',
    clusterIP: '10.96.0.10',
    ports: [{ port: 80 }],
  },
};
const volume = {
  spec: {
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Gi' },
    csi: { driver: 'a.io', volumeHandle: 'v' },
    volumeAttributesClassName: 'gold',
    nodeAffinity: {
      required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }] },
    },
  },
};
const claim = {
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    volumeAttributesClassName: 'gold',
  },
};
const binding = { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' } };

type Row = readonly [kind: string, object: object, change: (object: Loose) => void, ...expected: (string | RegExp)[]];

const rows: readonly Row[] = [
  ['deployments.apps', workload, reselect, /`selector` does not match template `labels`$/, immutable('spec.selector')],
  ['replicasets.apps', workload, reselect, /`selector` does not match template `labels`$/, immutable('spec.selector')],
  ['daemonsets.apps', workload, reselect, /`selector` does not match template `labels`$/, immutable('spec.selector')],
  [
    'deployments.apps',
    workload,
    ({ spec }) => {
      spec.template.spec.restartPolicy = 'Never';
      spec.template.spec.activeDeadlineSeconds = 5;
    },
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
  ],
  [
    'statefulsets.apps',
    workload,
    ({ spec }) => {
      spec.serviceName = 'other';
    },
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ],
  [
    'replicationcontrollers',
    { spec: { template } },
    ({ spec }) => {
      spec.template.spec.activeDeadlineSeconds = 5;
    },
    'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported',
  ],
  [
    'jobs.batch',
    { metadata: { name: 'x', uid: 'u' }, spec: { template: never } },
    ({ spec }) => {
      spec.completions = 3;
      spec.template.spec.containers[0].image = 'j';
    },
    'spec.completions: Invalid value: 3: field is immutable',
    immutable('spec.template'),
  ],
  [
    'services',
    loadBalancer,
    ({ spec }) => {
      spec.healthCheckNodePort = 30002;
      spec.loadBalancerClass = 'a.io/c';
    },
    'spec.loadBalancerClass: Invalid value: "a.io/c": may not change once set',
    'spec.healthCheckNodePort: Forbidden: field is immutable',
  ],
  [
    'persistentvolumes',
    volume,
    ({ spec }) => {
      spec.volumeMode = 'Block';
      spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values = ['b'];
      delete spec.volumeAttributesClassName;
    },
    'volumeMode: Invalid value: "Block": field is immutable',
    /^nodeAffinity: Invalid value: .*: field is immutable, except for updating from beta label to GA$/,
    'spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden',
  ],
  [
    'persistentvolumeclaims',
    claim,
    ({ spec }) => {
      spec.volumeMode = 'Block';
      spec.volumeAttributesClassName = '';
    },
    /^spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims/,
    'volumeMode: Invalid value: "Block": field is immutable',
  ],
  [
    'secrets',
    { immutable: true, data: { a: 'YQ==' } },
    (object) => {
      object.type = 'example.com/other';
      object.data = { a: 'Yg==' };
    },
    'type: Invalid value: "example.com/other": field is immutable',
    'data: Forbidden: field is immutable when `immutable` is set',
  ],
  [
    'configmaps',
    { immutable: true, data: { a: 'a' } },
    (object) => {
      object.immutable = false;
    },
    'immutable: Forbidden: field is immutable when `immutable` is set',
  ],
  [
    'nodes',
    { spec: { providerID: 'a://1', podCIDRs: ['10.0.0.0/24'] } },
    ({ spec }) => {
      spec.providerID = 'a://2';
      spec.podCIDR = '10.0.1.0/24';
    },
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
  ],
  [
    'horizontalpodautoscalers.autoscaling',
    { spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web' }, behavior: { scaleUp: {} } } },
    ({ spec }) => {
      spec.behavior.scaleUp.tolerance = '-100m';
    },
    'spec.behavior.scaleUp.tolerance: Invalid value: "-100m": must be greater than or equal to 0',
  ],
  [
    'clusterrolebindings.rbac.authorization.k8s.io',
    binding,
    ({ roleRef }) => {
      roleRef.name = 'edit';
    },
    immutable('roleRef'),
  ],
  [
    'storageclasses.storage.k8s.io',
    { provisioner: 'a.io/b' },
    (object) => {
      object.provisioner = 'a.io/c';
    },
    'provisioner: Invalid value: "a.io/c": field is immutable',
  ],
  [
    'csinodes.storage.k8s.io',
    { spec: { drivers: [{ name: 'a.io', nodeID: 'n' }] } },
    ({ spec }) => {
      spec.drivers[0].nodeID = 'm';
    },
    'spec.drivers: Invalid value: {"Name":"a.io","NodeID":"m","TopologyKeys":null,"Allocatable":null}: field is immutable',
  ],
  [
    'volumeattachments.storage.k8s.io',
    { spec: { attacher: 'a.io', nodeName: 'n', source: { persistentVolumeName: 'v' } } },
    ({ spec }) => {
      spec.nodeName = 'm';
    },
    immutable('spec'),
  ],
  [
    'priorityclasses.scheduling.k8s.io',
    { value: 1 },
    (object) => {
      object.value = 2;
    },
    'value: Forbidden: may not be changed in an update.',
  ],
  [
    'endpointslices.discovery.k8s.io',
    { addressType: 'IPv4', endpoints: [] },
    (object) => {
      object.addressType = 'IPv6';
    },
    'addressType: Invalid value: "IPv6": field is immutable',
  ],
];

describe('updates that are refused', () => {
  it.each(rows.map((row): [string, Row] => [row[0], row]))('%s %#', (name, [, object, change, ...expected]) => {
    const kind = find(name);
    const old = create(kind, object);
    expect(update(kind, old, () => {}).errors).toEqual([]);
    const { errors } = update(kind, old, change);
    expect(errors).toEqual(expected.map((each) => (typeof each === 'string' ? each : expect.stringMatching(each))));
  });
});

describe('writes to /status', () => {
  it.each([
    ['deployments.apps', false, true],
    ['daemonsets.apps', true, true],
    ['volumeattachments.storage.k8s.io', false, false],
    ['flowschemas.flowcontrol.apiserver.k8s.io', false, false],
    ['prioritylevelconfigurations.flowcontrol.apiserver.k8s.io', false, false],
    ['resourceclaims.resource.k8s.io', false, false],
    ['apiservices.apiregistration.k8s.io', false, false],
  ])('of %s change labels: %s, annotations: %s', (name, changesLabels, changesAnnotations) => {
    const old: Loose = { metadata: { name: 'x', labels: { a: '1' } } };
    const next: Loose = draft({ metadata: { name: 'x', labels: { a: '2' }, annotations: { b: '2' } }, status: {} });
    find(name).subresources.status?.prepareForUpdate?.(next, old);
    expect(next.metadata).toEqual({
      name: 'x',
      labels: { a: changesLabels ? '2' : '1' },
      ...(changesAnnotations ? { annotations: { b: '2' } } : {}),
    });
  });

  it.each([
    [
      'services',
      { loadBalancer: { ingress: [{ ip: '10.0.0', hostname: '10.0.0.1' }] } },
      "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
    ],
    [
      'replicationcontrollers',
      { replicas: 1, readyReplicas: 2 },
      'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
    ],
  ])('of %s are checked', (name, status, ...expected) => {
    const object: Loose = { metadata: { name: 'x' }, status };
    expect(find(name).subresources.status?.validateUpdate?.(object, object).map(String)).toEqual(expected);
  });
});

it('events name their reporter as their API version does', () => {
  const event = (name: string, version: string): string[] => {
    const kind = kinds.find((each) => each.resource === 'events' && each.group === name)!;
    const object: Loose = {
      apiVersion: version,
      metadata: { name: 'x', namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingInstance: 'i',
      action: 'a',
      reason: 'r',
      type: 'Normal',
    };
    applyDefaults(object, kind.schema);
    kind.default?.(object);
    return (kind.validate?.(object) ?? []).map(String);
  };
  expect(event('', 'v1')).toContain('reportingComponent: Required value');
  expect(event('events.k8s.io', 'events.k8s.io/v1')).toContain('reportingController: Required value');
});
