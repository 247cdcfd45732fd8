import { describe, expect, it } from 'vitest';
import { draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { event as newEvent } from '../events/event.ts';
import { plugin } from '../k8ts/plugin.ts';
import { configMap } from './config-map.ts';
import { endpoints } from './endpoints.ts';
import { event } from './event.ts';
import { limitRange } from './limit-range.ts';
import { namespace } from './namespace.ts';
import { node } from './node.ts';
import { replicationController } from './replication-controller.ts';
import { resourceQuota } from './resource-quota.ts';
import { secret } from './secret.ts';
import { create, errorsOf, type Loose, row, update } from './testing.ts';

describe('namespaces', () => {
  it('start active, with their finalizer and label', () => {
    const created = create(namespace, {}, 'team');
    expect(created).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'team' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    const { object } = update(namespace, created, (next) => {
      next.spec.finalizers = [];
    });
    expect(object.spec.finalizers).toEqual(['kubernetes']);
    expect(errorsOf(namespace, create(namespace, { spec: { finalizers: ['foo'] } }))).toEqual([
      'spec.finalizers: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified',
    ]);
  });
});

describe('config maps and secrets', () => {
  it('check keys and sizes', () => {
    expect(errorsOf(configMap, create(configMap, { data: { 'a b': '' } }))[0]).toMatch(
      /^data\[a b\]: Invalid value: "a b": a valid config key must consist of/,
    );
    expect(errorsOf(configMap, create(configMap, { data: { a: 'x'.repeat(1048577) } }))).toEqual([
      '[]: Too long: may not be more than 1048576 bytes',
    ]);
  });

  it('stay as they are once immutable', () => {
    const old = create(configMap, { data: { a: '1' }, immutable: true });
    const { errors } = update(configMap, old, (next) => {
      next.immutable = false;
      next.data.a = '2';
    });
    expect(errors).toEqual([
      'immutable: Forbidden: field is immutable when `immutable` is set',
      'data: Forbidden: field is immutable when `immutable` is set',
    ]);
  });

  it('take stringData for data', () => {
    const created = create(secret, { data: { a: 'MQ==', b: 'Mg==' }, stringData: { a: 'héllo' } });
    expect(created).toMatchObject({ type: 'Opaque', data: { a: Buffer.from('héllo').toString('base64'), b: 'Mg==' } });
    expect(created.stringData).toBeUndefined();
  });

  it.each([
    ['kubernetes.io/tls', {}, ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
    ['kubernetes.io/basic-auth', {}, ['data[username]: Required value', 'data[password]: Required value']],
    [
      'kubernetes.io/dockerconfigjson',
      { '.dockerconfigjson': 'bm8=' },
      [
        "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'o' in literal null (expecting 'u')",
      ],
    ],
    [
      'kubernetes.io/service-account-token',
      {},
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
    ['example.com/any', {}, []],
  ])('secrets of type %s have what they are for', (type, data, errors) => {
    expect(errorsOf(secret, create(secret, { type, data }))).toEqual(errors);
  });

  it('secrets keep their type', () => {
    const old = create(secret, {});
    expect(update(secret, old, (next) => void Object.assign(next, { type: 'x/y' })).errors).toEqual([
      'type: Invalid value: "x/y": field is immutable',
    ]);
  });
});

describe('the other core kinds', () => {
  it('replication controllers take selector and labels from their template', () => {
    const controller = create(replicationController, {
      spec: { template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
    });
    expect(controller).toMatchObject({
      metadata: { labels: { app: 'a' } },
      spec: { replicas: 1, selector: { app: 'a' } },
    });
    expect(errorsOf(replicationController, controller)).toEqual([]);
    controller.spec.selector = { app: 'b' };
    expect(errorsOf(replicationController, controller)).toEqual([
      'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ]);
    expect(replicationController.subresources.scale?.selector(controller)).toBe('app=b');
  });

  it('limit ranges fill their own gaps', () => {
    const range = create(limitRange, {
      spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { memory: '1Mi' } }] },
    });
    expect(range.spec.limits[0]).toMatchObject({ default: { cpu: '2' }, defaultRequest: { cpu: '2', memory: '1Mi' } });
    expect(errorsOf(limitRange, range)).toEqual([]);
    const wrong = create(limitRange, { spec: { limits: [{ type: 'Pod', max: { cpu: '1' }, min: { cpu: '2' } }] } });
    expect(errorsOf(limitRange, wrong)).toEqual([
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
    ]);
  });

  it('quotas print used and hard', () => {
    const quota = create(resourceQuota, { spec: { hard: { pods: '2', 'limits.cpu': '1' } } });
    expect(errorsOf(resourceQuota, quota)).toEqual([]);
    quota.status = { hard: { pods: '2', 'limits.cpu': '1' }, used: { pods: '1', 'limits.cpu': '500m' } };
    expect(row(resourceQuota, quota)).toMatchObject({ Request: 'pods: 1/2', Limit: 'limits.cpu: 500m/1' });
    expect(
      errorsOf(
        resourceQuota,
        create(resourceQuota, { spec: { hard: { apples: '1' }, scopes: ['BestEffort', 'NotBestEffort'] } }),
      ),
    ).toEqual([
      'spec.hard[apples]: Invalid value: "apples": must be a standard resource type or fully qualified',
      'spec.hard[apples]: Invalid value: "apples": must be a standard resource for quota',
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
    ]);
  });

  it('nodes print state and roles', () => {
    const worker = create(node, {
      metadata: {
        name: 'n',
        labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' },
      },
      spec: { unschedulable: true },
      status: {
        capacity: { cpu: '4' },
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      },
    });
    expect(worker.status.allocatable).toEqual({ cpu: '4' });
    expect(row(node, worker)).toMatchObject({
      Status: 'Ready,SchedulingDisabled',
      Roles: 'control-plane,worker',
      'Internal-IP': '10.0.0.1',
      'External-IP': '<none>',
    });
    worker.spec.taints = [{ key: 'a', effect: 'Never' }];
    expect(errorsOf(node, worker)).toEqual([
      'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ]);
  });

  it('endpoints print three addresses', () => {
    const addresses = [1, 2, 3, 4, 5].map((n) => ({ ip: `10.0.0.${n}` }));
    const object = create(endpoints, { subsets: [{ addresses, ports: [{ port: 80 }] }] });
    expect(row(endpoints, object).Endpoints).toBe('10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...');
    const waiting = [{ notReadyAddresses: addresses, ports: [{ port: 80 }] }];
    expect(row(endpoints, create(endpoints, { subsets: waiting })).Endpoints).toBe('');
    expect(row(endpoints, create(endpoints, {})).Endpoints).toBe('<none>');
    expect(errorsOf(endpoints, object)).toEqual([]);
  });

  it('events are the same objects in both groups', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web.1', namespace: 'default' },
      involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
      reason: 'Pulled',
      message: 'pulled it\n',
      type: 'Normal',
      count: 3,
      firstTimestamp: '2026-01-01T00:30:00Z',
      lastTimestamp: '2026-01-01T00:59:00Z',
      source: { component: 'kubelet', host: 'n1' },
    } as unknown as UnstructuredObject;
    const newer = newEvent.storage!.fromStorage(draft(object)) as Loose;
    expect(newer).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      regarding: { name: 'web' },
      note: 'pulled it\n',
      deprecatedCount: 3,
    });
    expect(newEvent.storage!.toStorage(newer)).toEqual(object);
    const expected = {
      'Last Seen': '60s',
      Type: 'Normal',
      Reason: 'Pulled',
      Object: 'pod/web',
      Source: 'kubelet, n1',
      Message: 'pulled it',
      'First Seen': '30m',
      Count: 3,
    };
    expect(row(event, object)).toMatchObject(expected);
    expect(row(newEvent, newer)).toMatchObject(expected);
    expect(newEvent.selectableFields['regarding.name']?.(newer)).toBe('web');
    expect(errorsOf(event, object)).toEqual([]);
    expect(errorsOf(event, { ...object, metadata: { name: 'x', namespace: 'other' } })).toEqual([
      'involvedObject.namespace: Invalid value: "default": does not match event.namespace',
    ]);
  });

  it('plugins are listed with their state', () => {
    const object = create(plugin, { metadata: { name: 'p' }, spec: { type: 'authentication', source: 'examples/p' } });
    expect(errorsOf(plugin, object)).toEqual([]);
    expect(row(plugin, object)).toMatchObject({ Type: 'authentication', Phase: 'Pending', Config: '<none>' });
    expect(errorsOf(plugin, create(plugin, { spec: { type: 'magic' } }))).toEqual([
      expect.stringContaining('spec.type: Unsupported value: "magic"'),
      'spec.source: Required value',
    ]);
  });
});
