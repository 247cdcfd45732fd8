import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigMaps, IPAddresses, Secrets, ServiceCIDRs } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { serviceCidrController } from '../service-cidr-controller.ts';
import { bootstrapSignerController, tokenCleanerController } from './bootstrap-token-controllers.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

const token = (id: string, fields: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
  type: 'bootstrap.kubernetes.io/token',
  data: Object.fromEntries(
    Object.entries({ 'token-id': id, 'token-secret': 'secret', 'usage-bootstrap-signing': 'true', ...fields }).map(
      ([name, value]) => [name, Buffer.from(value).toString('base64')],
    ),
  ),
});

describe('bootstrap token controllers', () => {
  it('sign cluster-info with live tokens and delete expired ones', async () => {
    run = await runControllers([tokenCleanerController(), bootstrapSignerController()], {
      objects: [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'cluster-info', namespace: 'kube-public' },
          data: { kubeconfig: 'text' },
        },
        token('aaa'),
      ],
    });
    const data = () => run.api.get(ConfigMaps, 'cluster-info', 'kube-public')?.data ?? {};
    await run.eventually(() => Object.keys(data()).length === 2);
    const [header, payload, signature] = (data()['jws-kubeconfig-aaa'] ?? '').split('.');
    expect(payload).toBe('');
    const signed = `${header}.${Buffer.from('text').toString('base64url')}`;
    expect(signature).toBe(createHmac('sha256', 'secret').update(signed).digest('base64url'));
    run.api.put(token('bbb', { expiration: new Date(Date.now() - 1_000).toISOString() }));
    run.api.put(token('ccc', { expiration: new Date(Date.now() + 60_000).toISOString() }));
    await run.eventually(() => !run.api.get(Secrets, 'bootstrap-token-bbb', 'kube-system'));
    await run.eventually(
      () => Object.keys(data()).sort().join() === 'jws-kubeconfig-aaa,jws-kubeconfig-ccc,kubeconfig',
    );
  });
});

describe('service CIDR controller', () => {
  it('makes a ServiceCIDR ready, and lets it go when nothing depends on it', async () => {
    const cidr = (name: string, range: string) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name },
      spec: { cidrs: [range] },
    });
    const address = { apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name: '10.1.0.5' } };
    run = await runControllers([serviceCidrController()], { objects: [cidr('extra', '10.1.0.0/24'), address] });
    const ready = () => run.api.get(ServiceCIDRs, 'extra')?.status?.conditions?.[0];
    await run.eventually(() => ready()?.status === 'True');
    await run.client.for(ServiceCIDRs).delete({ name: 'extra' });
    await run.eventually(() => ready()?.reason === 'Terminating');
    run.api.remove(IPAddresses, '10.1.0.5');
    await run.eventually(() => !run.api.get(ServiceCIDRs, 'extra'));
  });
});
