import { afterEach, describe, expect, it } from 'vitest';
import { EndpointSlices, Endpoints, Pods, Services } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { endpointsController } from './endpoints-controller.ts';
import { endpointSliceController } from './endpointslice-controller.ts';
import { endpointSliceMirroringController } from './endpointslice-mirroring-controller.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

const pod = (name: string, ip: string, ready = true, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: 'web' } },
  spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }], ...extra },
  status: {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
});
const service = (extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: {
    clusterIP: '10.96.0.10',
    ipFamilies: ['IPv4'],
    selector: { app: 'web' },
    ports: [{ port: 80, protocol: 'TCP', targetPort: 'http' }],
    ...extra,
  },
});
const slices = () => run.api.list(EndpointSlices, 'default');
const endpoints = () => slices().flatMap((slice) => slice.endpoints ?? []);

describe('endpoints controllers', () => {
  it('publish ready and unready pods, and follow changes', async () => {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z' } },
    };
    run = await runControllers([endpointsController(), endpointSliceController()], {
      objects: [service(), node, pod('a', '10.0.0.1'), pod('b', '10.0.0.2', false), pod('done', '10.0.0.3')],
    });
    run.api.put({ ...pod('done', '10.0.0.3'), status: { phase: 'Succeeded', podIP: '10.0.0.3' } });
    await run.eventually(() => run.api.get(Endpoints, 'web', 'default')?.subsets?.[0]?.addresses?.length === 1);
    expect(run.api.get(Endpoints, 'web', 'default')?.subsets).toEqual([
      {
        addresses: [expect.objectContaining({ ip: '10.0.0.1', nodeName: 'n1' })],
        notReadyAddresses: [expect.objectContaining({ ip: '10.0.0.2' })],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
    ]);
    await run.eventually(() => endpoints().length === 2);
    expect(slices()).toHaveLength(1);
    expect(slices()[0]).toMatchObject({
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      metadata: {
        labels: {
          team: 'a',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [{ kind: 'Service', name: 'web', controller: true }],
      },
    });
    const ready = endpoints().find(({ addresses }) => addresses[0] === '10.0.0.1');
    expect(ready).toMatchObject({ conditions: { ready: true, serving: true, terminating: false }, zone: 'z' });

    await run.client.for(Pods).delete({ namespace: 'default', name: 'a' });
    await run.eventually(() => endpoints().some(({ conditions }) => conditions?.terminating && !conditions.ready));
    await run.eventually(() => !run.api.get(Endpoints, 'web', 'default')?.subsets?.[0]?.addresses);
    await run.client.for(Services).delete({ namespace: 'default', name: 'web' });
    await run.eventually(() => !run.api.get(Endpoints, 'web', 'default'));
  });

  it('spread many endpoints over slices, without duplicates, and move little', async () => {
    const pods = Array.from({ length: 230 }, (_, i) => pod(`p${i}`, `10.0.${i >> 8}.${i & 255}`));
    run = await runControllers([endpointSliceController()], { objects: [service(), ...pods] });
    await run.eventually(() => endpoints().length === 230);
    expect(slices().map((slice) => slice.endpoints?.length)).toEqual([100, 100, 30]);
    run.api.remove(Pods, 'p0', 'default');
    run.api.put(pod('new', '10.1.0.1'));
    await run.eventually(() => endpoints().some(({ addresses }) => addresses[0] === '10.1.0.1'));
    await run.eventually(() => !endpoints().some(({ addresses }) => addresses[0] === '10.0.0.0'));
    expect(new Set(endpoints().map(({ addresses }) => addresses[0])).size).toBe(230);
    expect(slices()).toHaveLength(3);
  });

  it('give a Service without pods an empty slice, and keep hands off one without a selector', async () => {
    run = await runControllers([endpointsController(), endpointSliceController()], {
      objects: [
        service({ clusterIP: 'None' }),
        { ...service(), metadata: { name: 'manual', namespace: 'default' }, spec: { clusterIP: '10.96.0.11' } },
      ],
    });
    await run.eventually(() => slices().length === 1);
    await run.eventually(() => run.api.get(Endpoints, 'web', 'default'));
    expect(slices()[0]).toMatchObject({ endpoints: [], ports: [] });
    expect(slices()[0]?.metadata.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
    expect(run.api.get(Endpoints, 'manual', 'default')).toBeUndefined();
  });

  it('mirror Endpoints written by hand, and take the mirror away with them', async () => {
    const manual = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'db', namespace: 'default' },
      subsets: [{ addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }], ports: [{ port: 5432 }] }],
    };
    run = await runControllers([endpointSliceController(), endpointSliceMirroringController()], {
      objects: [
        manual,
        { ...service(), metadata: { name: 'db', namespace: 'default' }, spec: { clusterIP: '10.96.0.12' } },
      ],
    });
    await run.eventually(() => slices().length === 2);
    expect(slices().map(({ addressType, endpoints: [first] = [] }) => [addressType, first?.addresses[0]])).toEqual([
      ['IPv4', '192.0.2.1'],
      ['IPv6', '2001:db8::1'],
    ]);
    run.api.remove(Endpoints, 'db', 'default');
    await run.eventually(() => slices().length === 0);
  });
});
