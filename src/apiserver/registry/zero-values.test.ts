import { expect, it } from 'vitest';
import { schemaOf } from '../../api/schema.ts';
import { decodeObject } from './read-object.ts';

const decode = (typeName: string, value: { apiVersion: string; kind: string }) => {
  const [group = '', version = ''] = value.apiVersion.split('/');
  const target = { group: version && group, version: version || group, kind: value.kind, schema: schemaOf(typeName) };
  return decodeObject(structuredClone(value), target, 'Strict', [], []);
};

it('writes structs out that are no pointers, as clients expect who read through them', () => {
  const spec = { selector: { matchLabels: { a: 'b' } }, template: { spec: { containers: [{ name: 'c' }] } } };
  expect(decode('apps.v1.Deployment', { apiVersion: 'apps/v1', kind: 'Deployment', spec } as never)).toEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {},
    spec: {
      selector: { matchLabels: { a: 'b' } },
      strategy: {},
      template: { metadata: {}, spec: { containers: [{ name: 'c', resources: {} }] } },
    },
    status: {},
  });
  const pdb = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', spec: { minAvailable: 0 } };
  expect(decode('policy.v1.PodDisruptionBudget', pdb)).toMatchObject({
    spec: { minAvailable: 0 },
    status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
  });
});

it('leaves scalars out whose zero means nothing, and keeps those of pointers', () => {
  const spec = {
    hostNetwork: false,
    hostname: '',
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: '', stdin: false, env: [{ name: 'EMPTY', value: '' }] }],
  };
  expect(decode('core.v1.Pod', { apiVersion: 'v1', kind: 'Pod', spec } as never)).toMatchObject({
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', env: [{ name: 'EMPTY' }], resources: {} }],
    },
  });
  const claim = { storageClassName: '', volumeName: '', accessModes: ['ReadWriteOnce'] };
  const decoded = decode('core.v1.PersistentVolumeClaim', {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    spec: claim,
  } as never) as { spec?: unknown };
  expect(decoded.spec).toEqual({ storageClassName: '', accessModes: ['ReadWriteOnce'], resources: {} });
});
