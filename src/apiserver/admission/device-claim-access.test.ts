import { describe, expect, it } from 'vitest';
import type { Authorizer } from '../../sdk/authorization.ts';
import { deviceClaimAccess } from './device-claim-access.ts';
import { admit, FakeLookup } from './testing/admit.ts';

const lookup = new FakeLookup()
  .put('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  .put('namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'operations', labels: { 'resource.kubernetes.io/admin-access': 'true' } },
  });

const only = (...allowed: string[]): Authorizer => ({
  name: 'test',
  authorize: ({ verb, resource, subresource, namespace, name }) => ({
    decision: allowed.includes(`${verb} ${resource}/${subresource} ${namespace}/${name}`) ? 'allow' : 'noOpinion',
  }),
});

const claim = (status: object, namespace = 'shop') => ({
  apiVersion: 'resource.k8s.io/v1',
  kind: 'ResourceClaim',
  metadata: { name: 'gpu', namespace },
  spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', adminAccess: true } }] } },
  status,
});
const kind = { group: 'resource.k8s.io', version: 'v1', kind: 'ResourceClaim' };
const device = { driver: 'd.io', pool: 'p', device: 'a' };
const onNode = {
  nodeSelector: {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }],
  },
};

const write = (authorizer: Authorizer, status: object, old: object | undefined, change: object = {}) =>
  admit(deviceClaimAccess(lookup, authorizer), 'resourceclaims', claim(status) as never, {
    kind,
    resource: { group: 'resource.k8s.io', version: 'v1', resource: 'resourceclaims' },
    namespace: 'shop',
    name: 'gpu',
    ...(old ? { operation: 'UPDATE', subresource: 'status', oldObject: claim(old) as never } : {}),
    ...change,
  }).then(
    () => '',
    (error: Error) => error.message,
  );

describe('DeviceClaimAccess', () => {
  it('gives admin access in namespaces that are labelled for it', async () => {
    expect(await write(only(), {}, undefined)).toBe(
      'ResourceClaim.resource.k8s.io "gpu" is invalid: spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace',
    );
    expect(await write(only(), {}, undefined, { namespace: 'operations' })).toBe('');
  });

  it('lets schedulers allocate', async () => {
    expect(await write(only(), { allocation: onNode }, {})).toMatch(
      /^ResourceClaim\.resource\.k8s\.io "gpu" is invalid: status: Forbidden: changing status\.allocation or status\.reservedFor requires resource="resourceclaims\/binding", verb="update" permission: resourceclaims\.resource\.k8s\.io is forbidden: User "[^"]*" cannot update resource "resourceclaims\/binding" in API group "resource\.k8s\.io" at the cluster scope$/,
    );
    expect(await write(only('update resourceclaims/binding /'), { allocation: onNode }, {})).toBe('');
    expect(await write(only(), { allocation: onNode }, { allocation: onNode })).toBe('');
  });

  it('lets drivers report, those of the node with less', async () => {
    const old = { allocation: onNode };
    const now = { allocation: onNode, devices: [device] };
    const driver = {
      name: 'system:serviceaccount:shop:d',
      extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
    };
    const near = only('associated-node:update resourceclaims/driver shop/d.io');
    const any = only('arbitrary-node:patch resourceclaims/driver shop/d.io');
    expect(await write(near, now, old, { user: driver })).toBe('');
    expect(await write(near, now, old, { user: { ...driver, extra: {} } })).toContain(
      'verb="[arbitrary-node:update]" permission:',
    );
    expect(await write(any, now, old, { options: { kind: 'PatchOptions' } })).toBe('');
  });
});
