import { describe, expect, it } from 'vitest';
import type { PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes, AdmissionOperation } from '../../sdk/admission.ts';
import { nodeVolumeAdmission } from './node-volume-admission.ts';

const claim = {
  metadata: { name: 'data', namespace: 'shop', uid: 'u1', annotations: { 'volume.kubernetes.io/selected-node': 'a' } },
};
const step = nodeVolumeAdmission({
  claim: (namespace, name) =>
    namespace === 'shop' && name === 'data' ? (claim as unknown as PersistentVolumeClaim) : undefined,
});

const volume = (
  change: object = {},
  node = 'a',
  annotations: object = { 'pv.kubernetes.io/provisioned-by': 'k8ts.dev/local-path' },
) =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv', annotations },
    spec: {
      local: { path: '/data' },
      claimRef: { namespace: 'shop', name: 'data', uid: 'u1' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
          ],
        },
      },
      ...change,
    },
  }) as unknown as UnstructuredObject;

function attempt(
  operation: AdmissionOperation,
  object: UnstructuredObject,
  user = 'system:node:a',
  groups = ['system:nodes'],
): string {
  const attributes = {
    operation,
    resource: { group: '', version: 'v1', resource: 'persistentvolumes' },
    user: { name: user, groups },
    ...(operation === 'CREATE' ? {} : { oldObject: object }),
  } as unknown as AdmissionAttributes;
  if (!step.handles(attributes)) return 'not seen';
  try {
    step.validate!(attributes, operation === 'DELETE' ? undefined : object);
    return 'admitted';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('volumes of nodes', () => {
  it('admits what a node makes and deletes of its own', () => {
    expect(attempt('CREATE', volume())).toBe('admitted');
    expect(attempt('DELETE', volume())).toBe('admitted');
  });

  it.each([
    ['on another node', volume({}, 'b')],
    ['of another kind', volume({ local: undefined, hostPath: { path: '/' } })],
    ['of another provisioner', volume({}, 'a', {})],
    ['without a node', volume({ nodeAffinity: undefined })],
    [
      'of several nodes',
      volume({
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['a', 'b'] }] },
            ],
          },
        },
      }),
    ],
  ])('refuses a volume %s', (_, object) => {
    expect(attempt('CREATE', object)).toMatch(/forbidden: node "a" can only create local volumes of its own/);
    expect(attempt('DELETE', object)).toMatch(/can only delete local volumes of its own/);
  });

  it('refuses a volume for a claim of another node or of a deleted claim', () => {
    expect(attempt('CREATE', volume({}, 'b'), 'system:node:b')).toMatch(/claims whose selected node it is/);
    expect(attempt('CREATE', volume({ claimRef: { namespace: 'shop', name: 'data', uid: 'old' } }))).toMatch(
      /selected node/,
    );
    expect(attempt('CREATE', volume({ claimRef: undefined }))).toMatch(/selected node/);
  });

  it('refuses changes, and leaves other users alone', () => {
    expect(attempt('UPDATE', volume())).toMatch(/can only create and delete/);
    expect(attempt('CREATE', volume({}, 'b'), 'kubernetes-admin', ['system:masters'])).toBe('not seen');
  });
});
