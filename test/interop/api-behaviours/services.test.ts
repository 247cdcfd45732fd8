import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { ApiClient } from './api-client.ts';

const services = '/api/v1/namespaces/default/services';
const networking = '/apis/networking.k8s.io/v1';

describe('addresses and life cycles of Services', () => {
  let embedded: EmbeddedCluster;
  let api: ApiClient;
  beforeAll(async () => {
    embedded = await startEmbedded();
    api = new ApiClient(embedded);
  });
  afterAll(async () => {
    api.close();
    await embedded.stop();
  });
  const create = (name: string, spec: object = {}) =>
    api.ok(services, { method: 'POST', body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } } });
  const merge = async (path: string, patch: object) => {
    const answer = await api.patch(path, 'merge-patch+json', patch);
    expect(answer.code, answer.body.message).toBe(200);
    return answer.body;
  };

  it('have an IPAddress each, in a ServiceCIDR that is ready', async () => {
    const cidr = await eventually(async () => {
      const found = await api.ok(`${networking}/servicecidrs/kubernetes`);
      expect(found.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
      return found;
    });
    expect(cidr.metadata.finalizers).toEqual(['networking.k8s.io/service-cidr-finalizer']);
    const { spec } = await create('web');
    const address = await api.ok(`${networking}/ipaddresses/${spec.clusterIP}`);
    expect(address.spec.parentRef).toEqual({ resource: 'services', namespace: 'default', name: 'web' });
    await api.ok(`${services}/web`, { method: 'DELETE' });
    await eventually(async () =>
      expect((await api.send(`${networking}/ipaddresses/${spec.clusterIP}`)).code).toBe(404),
    );
  });

  it('come from a further ServiceCIDR, which stays as long as it is needed', async () => {
    const further = `${networking}/servicecidrs/further`;
    await api.ok(`${networking}/servicecidrs`, {
      method: 'POST',
      body: { metadata: { name: 'further' }, spec: { cidrs: ['10.98.0.0/24'] } },
    });
    await eventually(async () =>
      expect(
        (
          await api.send(services, {
            method: 'POST',
            body: { metadata: { name: 'far' }, spec: { clusterIP: '10.98.0.7', ports: [{ port: 80 }] } },
          })
        ).code,
      ).toBe(201),
    );
    await api.ok(further, { method: 'DELETE' });
    await eventually(async () => {
      const { metadata, status } = await api.ok(further);
      expect(metadata.deletionTimestamp).toBeTruthy();
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'Ready', status: 'False', reason: 'Terminating' }),
      );
    });
    await api.ok(`${services}/far`, { method: 'DELETE' });
    await eventually(async () => expect((await api.send(further)).code).toBe(404));
  });

  it('change their type, and give back what they had', async () => {
    await create('changing', { type: 'ExternalName', externalName: 'elsewhere.example', ports: undefined });
    const cluster = await merge(`${services}/changing`, {
      spec: { type: 'ClusterIP', externalName: null, ports: [{ port: 80 }] },
    });
    expect(cluster.spec.clusterIP).toMatch(/^10\./);
    const nodePort = await merge(`${services}/changing`, { spec: { type: 'NodePort' } });
    expect(nodePort.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30_000);
    expect(nodePort.spec.clusterIP).toBe(cluster.spec.clusterIP);
    const external = await merge(`${services}/changing`, {
      spec: { type: 'ExternalName', externalName: 'elsewhere.example', clusterIP: '', clusterIPs: null },
    });
    expect(external.spec.clusterIP).toBeUndefined();
    await eventually(async () =>
      expect((await api.send(`${networking}/ipaddresses/${cluster.spec.clusterIP}`)).code).toBe(404),
    );
    const again = await create('again', {
      clusterIP: cluster.spec.clusterIP,
      type: 'NodePort',
      ports: [{ port: 80, nodePort: nodePort.spec.ports[0].nodePort }],
    });
    expect(again.spec.clusterIP).toBe(cluster.spec.clusterIP);
  });

  it('say why they are refused', async () => {
    const refused = async (spec: object) =>
      (
        await api.send(services, {
          method: 'POST',
          body: { metadata: { name: 'refused' }, spec: { ports: [{ port: 80 }], ...spec } },
        })
      ).body;
    expect((await refused({ clusterIP: '192.0.2.1' })).message).toContain(
      'spec.clusterIPs: Invalid value: ["192.0.2.1"]: failed to allocate IP 192.0.2.1',
    );
    expect((await refused({ type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] })).message).toContain(
      'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
    expect((await refused({ ports: [{ port: 80 }, { port: 81 }] })).message).toContain(
      'spec.ports[0].name: Required value',
    );
    expect((await refused({ ipFamilyPolicy: 'RequireDualStack' })).message).toContain(
      'this cluster is not configured for dual-stack services',
    );
  });
});
