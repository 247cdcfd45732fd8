import { afterEach, describe, expect, it } from 'vitest';
import { ConfigMaps, Namespaces, Pods, ServiceAccounts } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { rootCaController } from '../service-account/root-ca-controller.ts';
import { serviceAccountController } from '../service-account/service-account-controller.ts';
import { namespaceController } from './namespace-controller.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

const namespace = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
});
const inNamespace = (kind: string, name: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'team', ...('finalizers' in extra ? { finalizers: extra.finalizers as string[] } : {}) },
});
const widgets = { group: 'acme.dev', version: 'v1', kind: 'Widget', resource: 'widgets', namespaced: true };

describe('namespace controller', () => {
  it('empties a namespace, custom resources included, and lets it go', async () => {
    run = await runControllers([namespaceController()], {
      types: [widgets],
      objects: [
        namespace('team'),
        namespace('other'),
        inNamespace('ConfigMap', 'a'),
        { ...inNamespace('Widget', 'w'), apiVersion: 'acme.dev/v1' },
        { ...inNamespace('ConfigMap', 'kept'), metadata: { name: 'kept', namespace: 'other' } },
      ],
    });
    await run.client.for(Namespaces).delete({ name: 'team' });
    await run.eventually(() => !run.api.get(Namespaces, 'team'));
    expect(run.api.list(ConfigMaps).map(({ metadata }) => metadata.name)).toEqual(['kept']);
    expect(run.api.list(widgets)).toEqual([]);
  });

  it('deletes pods before the rest and says what remains', async () => {
    const pod = { ...inNamespace('Pod', 'p'), spec: { nodeName: 'n1', containers: [] } };
    run = await runControllers([namespaceController()], {
      objects: [
        namespace('team'),
        pod,
        inNamespace('ConfigMap', 'a'),
        inNamespace('ConfigMap', 'held', { finalizers: ['acme.dev/hold'] }),
      ],
    });
    await run.client.for(Namespaces).delete({ name: 'team' });
    const condition = (type: string) =>
      run.api.get(Namespaces, 'team')?.status?.conditions?.find((candidate) => candidate.type === type);
    await run.eventually(() => condition('NamespaceContentRemaining')?.message?.includes('pods. has 1 resource'));
    expect(run.api.get(ConfigMaps, 'a', 'team')).toBeDefined();
    await run.client.for(Pods).delete({ namespace: 'team', name: 'p' }, { gracePeriodSeconds: 0 });
    await run.eventually(() => !run.api.get(ConfigMaps, 'a', 'team'));
    await run.eventually(() => condition('NamespaceFinalizersRemaining')?.status === 'True');
    expect(condition('NamespaceFinalizersRemaining')?.message).toBe(
      'Some content in the namespace has finalizers remaining: acme.dev/hold in 1 resource instances',
    );
    await run.client
      .for(ConfigMaps)
      .patch({ namespace: 'team', name: 'held' }, 'merge', { metadata: { finalizers: null } });
    await run.eventually(() => !run.api.get(Namespaces, 'team'));
  });
});

describe('service account and root CA controllers', () => {
  it('keep their objects in every active namespace', async () => {
    run = await runControllers([serviceAccountController(), rootCaController({ rootCa: 'PEM' })], {
      objects: [namespace('team')],
    });
    await run.eventually(() => run.api.get(ServiceAccounts, 'default', 'team'));
    await run.eventually(() => run.api.get(ConfigMaps, 'kube-root-ca.crt', 'team')?.data?.['ca.crt'] === 'PEM');
    run.api.remove(ServiceAccounts, 'default', 'team');
    await run.client
      .for(ConfigMaps)
      .patch({ namespace: 'team', name: 'kube-root-ca.crt' }, 'merge', { data: { 'ca.crt': 'x' } });
    await run.eventually(() => run.api.get(ServiceAccounts, 'default', 'team'));
    await run.eventually(() => run.api.get(ConfigMaps, 'kube-root-ca.crt', 'team')?.data?.['ca.crt'] === 'PEM');
  });
});
