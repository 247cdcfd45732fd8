import { describe, expect, it } from 'vitest';
import { draft } from '../../apimachinery/json.ts';
import { service } from './service.ts';
import { create, errorsOf, type Loose, row, update } from './testing.ts';

describe('services', () => {
  const web = create(service, { spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } });

  it('are ClusterIP services by default', () => {
    expect(web).toMatchObject({
      spec: {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      },
      status: { loadBalancer: {} },
    });
    expect(web.spec.externalTrafficPolicy).toBeUndefined();
    expect(errorsOf(service, web)).toEqual([]);
    expect(create(service, { spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } }).spec).toMatchObject({
      allocateLoadBalancerNodePorts: true,
      externalTrafficPolicy: 'Cluster',
    });
  });

  it.each([
    [{ ports: [] }, ['spec.ports: Required value']],
    [
      { ports: [{ port: 80 }, { port: 80, name: 'b' }] },
      [
        'spec.ports[0].name: Required value',
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
      ],
    ],
    [
      { ports: [{ port: 80, nodePort: 30000 }] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [{ type: 'ExternalName' }, ['spec.externalName: Required value']],
    [
      { type: 'Magic', ports: [{ port: 80 }] },
      [
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      { ports: [{ port: 80 }], loadBalancerClass: 'a.b/c' },
      ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
    ],
    [
      { ports: [{ port: 80 }], externalIPs: ['127.0.0.1'] },
      ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ],
  ] as readonly (readonly [object, readonly string[]])[])('refuses %j', (spec, errors) => {
    expect(errorsOf(service, create(service, { spec }))).toEqual(errors);
  });

  it('keep their addresses through updates, and drop what a new type has no use for', () => {
    const old = draft(create(service, { spec: { type: 'NodePort', ports: [{ port: 80 }] } })) as Loose;
    Object.assign(old.spec, {
      clusterIP: '10.96.0.9',
      clusterIPs: ['10.96.0.9'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    });
    old.spec.ports[0].nodePort = 30080;
    const kept = update(service, old, (next) => {
      delete next.spec.clusterIP;
      delete next.spec.clusterIPs;
      delete next.spec.ports[0].nodePort;
    });
    expect(kept.errors).toEqual([]);
    expect(kept.object.spec).toEqual(old.spec);
    const internal = update(service, old, (next) => {
      next.spec.type = 'ClusterIP';
    });
    expect(internal.errors).toEqual([]);
    expect(internal.object.spec.ports[0].nodePort).toBeUndefined();
    expect(internal.object.spec.externalTrafficPolicy).toBeUndefined();
    const moved = update(service, old, (next) => {
      next.spec.clusterIP = '10.96.0.10';
    });
    expect(moved.errors).toEqual(['spec.clusterIPs[0]: Invalid value: ["10.96.0.10"]: may not change once set']);
  });

  it('find the node ports of ports by name, and lose the balancer with the type', () => {
    const ports = [
      { name: 'a', port: 80, nodePort: 30080 },
      { name: 'b', port: 81, nodePort: 30081 },
    ];
    const old = create(service, {
      spec: { type: 'LoadBalancer', clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ports },
    });
    old.status = { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } };
    const { object } = update(service, old, ({ spec }) => {
      spec.ports = [
        { name: 'b', port: 90 },
        { name: 'a', port: 80, nodePort: 30081 },
      ];
      spec.allocateLoadBalancerNodePorts = false;
    });
    expect(object.spec.ports.map((port: Loose) => port.nodePort)).toEqual([undefined, 30081]);
    expect(update(service, old, ({ spec }) => (spec.allocateLoadBalancerNodePorts = false)).object.spec.ports).toEqual(
      old.spec.ports,
    );
    const internal = update(service, old, ({ spec }) => (spec.type = 'ClusterIP'));
    expect(internal.errors).toEqual([]);
    expect(internal.object.status).toEqual({ loadBalancer: {} });
  });

  it('print as kubectl shows them', () => {
    const balanced = create(service, {
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.0.0.1',
        selector: { a: 'b' },
        ports: [
          { port: 80, nodePort: 30080 },
          { port: 53, protocol: 'UDP', name: 'x' },
        ],
      },
    });
    expect(row(service, balanced)).toMatchObject({
      Type: 'LoadBalancer',
      'Cluster-IP': '10.0.0.1',
      'External-IP': '<pending>',
      'Port(s)': '80:30080/TCP,53/UDP',
      Selector: 'a=b',
      Age: '<unknown>',
    });
  });
});
