import { describe, expect, it } from 'vitest';
import type { KindDefinition } from '../kind.ts';
import { endpoints } from './endpoints.ts';
import { limitRange } from './limit-range.ts';
import { node } from './node.ts';
import { persistentVolume } from './persistent-volume.ts';
import { persistentVolumeClaim } from './persistent-volume-claim.ts';
import { resourceQuota } from './resource-quota.ts';
import { service } from './service.ts';
import { serviceAccount } from './service-account.ts';
import { create, errorsOf, type Loose, update } from './testing.ts';

const ports = [{ port: 80 }];
const dual = {
  spec: {
    ports,
    clusterIP: '10.96.0.9',
    clusterIPs: ['10.96.0.9', 'fd00::9'],
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'PreferDualStack',
  },
};
const csi = { driver: 'a.io', volumeHandle: 'v' };
const volume = { spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, csi } };
const request = (storage: string) => ({ requests: { storage } });
const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: request('1Gi') } };

type Case = readonly [kind: KindDefinition, object: object, ...said: string[]];
type Change = (object: Loose) => unknown;
type UpdateCase = readonly [name: string, kind: KindDefinition, old: object, change: Change, ...errors: string[]];
const casesOf = (table: readonly Case[]) =>
  table.map(([kind, object, ...said]) => ({ name: kind.kind, kind, object, said }));

describe('new objects', () => {
  it.each(
    casesOf([
      [
        service,
        { spec: { ports, clusterIP: '10.96.0.09', ipFamilies: ['IPv6', 'IPv7'] } },
        'spec.ipFamilies[1]: Unsupported value: "IPv7": supported values: "IPv4", "IPv6"',
        'spec.clusterIPs[0]: Invalid value: "10.96.0.09": must not have leading 0s',
      ],
      [
        service,
        { spec: { ports, clusterIP: '10.96.0.9', ipFamilies: ['IPv6'] } },
        'spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`',
      ],
      [
        service,
        { spec: { type: 'ExternalName', externalName: 'a.b.', clusterIP: '10.96.0.9', ipFamilyPolicy: 'SingleStack' } },
        'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
        'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
      ],
      [
        service,
        { spec: { ports, loadBalancerSourceRanges: ['10.0.0.1/8 '], trafficDistribution: 'Far' } },
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
        'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
      ],
      [
        endpoints,
        { subsets: [{ addresses: [{ ip: '169.254.0.1', hostname: 'a.b' }] }] },
        expect.stringMatching(/^subsets\[0\]\.addresses\[0\]\.hostname: Invalid value: "a.b"/),
        'subsets[0].addresses[0].ip: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      ],
      [
        persistentVolume,
        { spec: { ...volume.spec, csi: { ...csi, nodeExpandSecretRef: { name: 's' } }, local: { path: '/a' } } },
        'spec.nodeAffinity: Required value: Local volume requires node affinity',
        'spec.csi: Forbidden: may not specify more than 1 volume type',
      ],
      [
        persistentVolume,
        {
          spec: { ...volume.spec, csi: { ...csi, nodeExpandSecretRef: { name: 's' } }, volumeAttributesClassName: '' },
        },
        'spec.csi.nodeExpandSecretRef.namespace: Required value',
        'spec.volumeAttributesClassName: Required value: an empty string is disallowed',
      ],
      [
        persistentVolumeClaim,
        { spec: { ...claim.spec, dataSourceRef: { kind: 'Pod', name: 'a' } } },
        `spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
        `spec.dataSourceRef: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
      ],
      [
        limitRange,
        {
          spec: {
            limits: [
              { type: 'Disk', max: { storage: '1' } },
              { type: 'Container', max: { pods: '1' }, min: { cpu: '1' }, maxLimitRequestRatio: { cpu: '500m' } },
            ],
          },
        },
        'spec.limits[0].type: Invalid value: "Disk": must be a standard limit type or fully qualified',
        'spec.limits[1].max[pods]: Invalid value: "pods": must be a standard resource for containers',
        'spec.limits[1].default[pods]: Invalid value: "pods": must be a standard resource for containers',
        'spec.limits[1].defaultRequest[pods]: Invalid value: "pods": must be a standard resource for containers',
        'spec.limits[1].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
      ],
      [
        resourceQuota,
        {
          spec: {
            hard: { pods: '1', secrets: '1' },
            scopes: ['BestEffort'],
            scopeSelector: { matchExpressions: [{ scopeName: 'Terminating', operator: 'In', values: ['a'] }] },
          },
        },
        'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
        'spec.scopeSelector.matchExpressions: Invalid value: {"MatchExpressions":[{"ScopeName":"Terminating","Operator":"In","Values":["a"]}]}: unsupported scope applied to resource',
        expect.stringMatching(
          /^spec\.scopeSelector\.matchExpressions\.operator: Invalid value: "In": must be 'Exists' when scope is any of /,
        ),
      ],
      [
        node,
        {
          spec: {
            podCIDRs: ['10.0.0.0/24', '10.0.1.0/24'],
            taints: [1, 2].map(() => ({ key: 'a', effect: 'NoSchedule' })),
          },
          status: { declaredFeatures: ['B', 'A', 'a'] },
        },
        'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair',
        'status.declaredFeatures[1]: Invalid value: "A": list must be sorted alphabetically',
        expect.stringMatching(
          /^status\.declaredFeatures\[2\]: Invalid value: "a": invalid feature name "a": must start with an UpperCamelCase/,
        ),
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family',
      ],
    ]),
  )('$name, $object', ({ kind, object, said }) => {
    expect(errorsOf(kind, create(kind, object))).toEqual(said);
  });

  it('of accounts keep the names of secrets alone, and limits find a name themselves', () => {
    const annotations = { 'kubernetes.io/enforce-mountable-secrets': 'true' };
    const account = create(serviceAccount, {
      metadata: { name: 'a', annotations },
      secrets: [{ name: 's', namespace: 'b', kind: 'Secret' }],
    });
    expect(account.secrets).toEqual([{ name: 's' }]);
    expect(serviceAccount.warnings?.(account)).toHaveLength(1);
    expect(serviceAccount.warnings?.(account, account)).toEqual([]);
    expect(create(limitRange, { spec: { limits: [] } }, '').metadata.name).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('forget data sources that nobody knows', () => {
    const { spec } = create(persistentVolumeClaim, { spec: { ...claim.spec, dataSource: { kind: 'Pod', name: 'a' } } });
    expect(spec.dataSource).toBeUndefined();
    expect(spec.dataSourceRef).toBeUndefined();
    const elsewhere = { kind: 'PersistentVolumeClaim', name: 'a', namespace: 'b' };
    const other = create(persistentVolumeClaim, { spec: { ...claim.spec, dataSourceRef: elsewhere } });
    expect(other.spec.dataSourceRef).toBeUndefined();
  });

  it('keep a data source that an older client leaves out the second name of', () => {
    const source = { kind: 'PersistentVolumeClaim', name: 'a' };
    const old = create(persistentVolumeClaim, { spec: { ...claim.spec, dataSource: source } });
    const { object, errors } = update(persistentVolumeClaim, old, ({ spec }) => delete spec.dataSourceRef);
    expect(errors).toEqual([]);
    expect(object.spec.dataSourceRef).toEqual(source);
  });
});

describe('updates', () => {
  const fixed = 'may not change once set';
  const table: readonly UpdateCase[] = [
    [
      'release a second address with its policy',
      service,
      dual,
      ({ spec }: Loose) => Object.assign(spec, { clusterIPs: ['10.96.0.9'], ipFamilies: ['IPv4'] }),
      `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary clusterIP`,
      `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary ipFamily`,
    ],
    [
      'keep the first address, and tell so before all else',
      service,
      dual,
      ({ spec }: Loose) =>
        Object.assign(spec, { clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8', 'fd00::9'], sessionAffinity: 'x' }),
      `spec.clusterIPs[0]: Invalid value: ["10.96.0.8","fd00::9"]: ${fixed}`,
      'spec.sessionAffinity: Unsupported value: "x": supported values: "ClientIP", "None"',
    ],
    [
      'add the secret that expands a volume',
      persistentVolume,
      volume,
      ({ spec }: Loose) => (spec.csi.controllerExpandSecretRef = { name: 's', namespace: 'n' }),
    ],
    [
      'move labels of volumes on',
      persistentVolume,
      {
        spec: {
          ...volume.spec,
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'beta.kubernetes.io/os', operator: 'Exists' }] }],
            },
          },
        },
      },
      ({ spec }: Loose) =>
        (spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key = 'kubernetes.io/os'),
    ],
    [
      'do not shrink claims',
      persistentVolumeClaim,
      { ...claim, spec: { ...claim.spec, volumeName: 'v' } },
      ({ spec }: Loose) => (spec.resources = request('1Mi')),
      expect.stringMatching(/^spec: Forbidden: spec is immutable after creation except/),
    ],
    [
      'name the class that claims had before in an annotation',
      persistentVolumeClaim,
      { ...claim, metadata: { name: 'x', annotations: { 'volume.beta.kubernetes.io/storage-class': 'fast' } } },
      ({ spec }: Loose) => (spec.storageClassName = 'fast'),
    ],
    [
      'leave nodes their address and provider',
      node,
      { spec: { podCIDRs: ['10.0.0.0/24'], providerID: 'a' } },
      ({ spec }: Loose) => Object.assign(spec, { podCIDR: '10.0.1.0/24', providerID: 'b', externalID: 'c' }),
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
      'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
      'spec.externalID: Forbidden: may not be updated',
    ],
  ];
  it.each(table.map(([name, kind, old, change, ...errors]) => ({ name, kind, old, change, errors })))(
    '$name',
    ({ kind, old, change, errors }) => {
      expect(update(kind, create(kind, old), (object) => void change(object)).errors).toEqual(errors);
    },
  );

  it('of a status are checked', () => {
    const statusErrors = (kind: KindDefinition, object: object, status: object) => {
      const old = create(kind, object);
      return (kind.subresources.status?.validateUpdate?.({ ...old, status }, old) ?? []).map(String);
    };
    expect(
      statusErrors(
        service,
        { spec: { type: 'LoadBalancer', ports } },
        {
          loadBalancer: { ingress: [{ ip: '10.0.0' }, { hostname: '10.0.0.1', ipMode: 'VIP' }] },
        },
      ),
    ).toEqual([
      'status.loadBalancer.ingress[0].ip: Invalid value: "10.0.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      'status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set',
      'status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set',
      'status.loadBalancer.ingress[1].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ]);
    expect(
      statusErrors(persistentVolumeClaim, claim, {
        capacity: { storage: '-1' },
        allocatedResourceStatuses: { cpu: 'Growing' },
      }),
    ).toEqual([
      'status.capacity[storage]: Invalid value: -1: must be a valid resource quantity',
      'status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: "storage"',
      'status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
    ]);
  });
});

it.each(
  casesOf([
    [
      service,
      { spec: { ports, externalIPs: ['FD00::1'], externalName: 'a', trafficDistribution: 'PreferClose' } },
      'spec.externalIPs[0]: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")',
      'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
      'spec.externalName is ignored when spec.type is not "ExternalName"',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
    [
      persistentVolume,
      { spec: { ...volume.spec, persistentVolumeReclaimPolicy: 'Recycle' } },
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    ],
    [
      persistentVolumeClaim,
      { spec: { ...claim.spec, resources: request('1500m') } },
      'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
    ],
  ]),
)('$name warns of $object', ({ kind, object, said }) => {
  expect(kind.warnings?.(create(kind, object))).toEqual(said);
});
