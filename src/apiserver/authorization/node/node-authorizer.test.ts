import { describe, expect, it } from 'vitest';
import type { PersistentVolume, Pod } from '../../../api/types/core.v1.gen.ts';
import type { AuthorizationAttributes } from '../../../sdk/authorization.ts';
import { NodeAuthorizer } from './node-authorizer.ts';

const node = (name: string) => ({ name: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] });
const base = {
  user: node('n1'),
  verb: 'get',
  resourceRequest: true,
  group: '',
  version: 'v1',
  resource: '',
  subresource: '',
  namespace: 'shop',
  name: '',
  path: '',
};

const pod = (name: string, nodeName: string, spec: object = {}, metadata: object = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', ...metadata },
    spec: {
      nodeName,
      serviceAccountName: 'web',
      containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'env' } }] }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      ...spec,
    },
  }) as unknown as Pod;

describe('the node authorizer', () => {
  const authorizer = new NodeAuthorizer();
  const may = (change: Partial<AuthorizationAttributes>) =>
    authorizer.authorize({ ...base, ...change }).decision === 'allow';
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv1' },
    spec: {
      claimRef: { namespace: 'shop', name: 'data' },
      csi: {
        driver: 'd',
        volumeHandle: 'h',
        nodeStageSecretRef: { name: 'stage', namespace: 'csi' },
        controllerPublishSecretRef: { name: 'attach', namespace: 'csi' },
      },
    },
  } as unknown as PersistentVolume;

  it('opens to a node what its pods use, and closes it with the last of them', () => {
    authorizer.graph.setPod(pod('a', 'n1'));
    authorizer.graph.setPod(pod('b', 'n1'));
    authorizer.graph.setVolume(volume);
    const uses: Partial<AuthorizationAttributes>[] = [
      { resource: 'configmaps', name: 'env' },
      { resource: 'persistentvolumeclaims', name: 'data' },
      { resource: 'persistentvolumes', namespace: '', name: 'pv1' },
      { resource: 'secrets', namespace: 'csi', name: 'stage' },
      { resource: 'serviceaccounts', subresource: 'token', verb: 'create', name: 'web' },
      { resource: 'pods', name: 'a' },
    ];
    for (const use of uses) {
      expect(may(use), JSON.stringify(use)).toBe(true);
      expect(may({ ...use, user: node('n2') })).toBe(false);
    }
    expect(may({ resource: 'configmaps', name: 'other' })).toBe(false);
    expect(may({ resource: 'secrets', namespace: 'csi', name: 'attach' })).toBe(false);
    expect(may({ resource: 'configmaps', verb: 'list', name: '' })).toBe(false);
    expect(may({ resource: 'configmaps', verb: 'update', name: 'env' })).toBe(false);
    expect(authorizer.authorize({ ...base, resource: 'secrets', name: 'x' }).reason).toBe(
      "no relationship found between node 'n1' and this object",
    );
    authorizer.graph.removePod(pod('a', 'n1'));
    expect(may({ resource: 'configmaps', name: 'env' })).toBe(true);
    authorizer.graph.setPod(pod('b', 'n2'));
    for (const use of uses) expect(may(use)).toBe(false);
    expect(may({ resource: 'configmaps', name: 'env', user: node('n2') })).toBe(true);
  });

  it('gives mirror pods nothing', () => {
    authorizer.graph.setPod(
      pod(
        'mirror',
        'n1',
        { containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'secret' } }] }] },
        { annotations: { 'kubernetes.io/config.mirror': 'x' } },
      ),
    );
    expect(may({ resource: 'secrets', name: 'secret' })).toBe(false);
  });

  it('keeps nodes to their own lease, CSINode, Node and pods', () => {
    const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' };
    expect(may({ ...lease, verb: 'update', name: 'n1' })).toBe(true);
    expect(may({ ...lease, verb: 'update', name: 'n2' })).toBe(false);
    expect(may({ ...lease, namespace: 'kube-system', verb: 'update', name: 'n1' })).toBe(false);
    expect(may({ group: 'storage.k8s.io', resource: 'csinodes', namespace: '', verb: 'update', name: 'n1' })).toBe(
      true,
    );
    expect(may({ resource: 'nodes', subresource: 'status', namespace: '', verb: 'patch', name: 'n1' })).toBe(true);
    const node = { resource: 'nodes', namespace: '', verb: 'get' };
    expect(may({ ...node, name: 'n1' })).toBe(true);
    expect(may({ ...node, name: 'n2' })).toBe(false);
    expect(may({ ...node, verb: 'list', name: '' })).toBe(false);
    expect(may({ ...node, verb: 'delete', name: 'n1' })).toBe(false);
    expect(may({ resource: 'pods', verb: 'list', namespace: '', fieldSelector: 'spec.nodeName=n1' })).toBe(true);
    expect(may({ resource: 'pods', verb: 'list', namespace: '' })).toBe(false);
    expect(may({ resource: 'services', verb: 'watch', namespace: '' })).toBe(true);
    expect(may({ resource: 'services', verb: 'delete' })).toBe(false);
    expect(may({ resource: 'services', verb: 'list', user: { name: 'jane', groups: [] } })).toBe(false);
  });
});
