import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Body } from '../api-behaviours/api-client.ts';
import { signingRequest } from '../every-kind.ts';
import {
  ConformanceCluster,
  conditionOf,
  container,
  JSON_PATCH,
  MERGE,
  STRATEGIC,
  seen,
} from './conformance-cluster.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const core = (namespace: string, resource: string) => `/api/v1/namespaces/${namespace}/${resource}`;
const brief = { terminationGracePeriodSeconds: 0, containers: [container()] };

const bars = {
  description: 'List of Bars and their specs.',
  type: 'array',
  items: {
    type: 'object',
    required: ['name'],
    properties: {
      name: { description: 'Name of Bar.', type: 'string' },
      feeling: { type: 'string', enum: ['Great', 'Down'] },
      bazs: { description: 'List of Bazs.', items: { type: 'string' }, type: 'array' },
    },
  },
};
const foo = {
  description: 'Foo CRD for Testing',
  type: 'object',
  properties: { spec: { type: 'object', description: 'Specification of Foo', properties: { bars } } },
};

describe.concurrent('the API does what the conformance suite asks of it:', () => {
  let cluster: ConformanceCluster;
  beforeAll(async () => {
    cluster = await ConformanceCluster.start();
  });
  afterAll(() => cluster.stop());

  const define = (group: string, kind: string, openAPIV3Schema: object) =>
    cluster.post(definitions, {
      metadata: { name: `${kind.toLowerCase()}s.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(), kind },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    });
  const running = (path: string) =>
    eventually(async () => {
      const pod = await cluster.get(path);
      expect(pod.status.phase).toBe('Running');
      return pod;
    });

  it('custom resources are published as their definition says, and explained', async () => {
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const nested = {
      description: 'Nested',
      type: 'object',
      properties: { spec: { ...open, description: 'Anything' } },
    };
    await define('foo.example.com', 'Foo', foo);
    await define('empty.example.com', 'Empty', open);
    await define('nested.example.com', 'Nested', nested);
    const published = (name: string) =>
      eventually(async () => {
        const definition = (await cluster.get('/openapi/v2')).definitions[name];
        expect(definition).toBeTruthy();
        const { 'x-kubernetes-group-version-kind': _kind, properties, ...rest } = definition;
        if (!properties) return rest;
        const { apiVersion, kind, metadata, ...own } = properties;
        expect([apiVersion.type, kind.type, metadata.$ref]).toEqual([
          'string',
          'string',
          '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
        ]);
        return { ...rest, properties: own };
      });
    expect(await published('com.example.foo.v1.Foo')).toEqual(foo);
    expect(await published('com.example.empty.v1.Empty')).toEqual({ type: 'object' });
    expect(await published('com.example.nested.v1.Nested')).toEqual({
      ...nested,
      properties: { spec: { description: 'Anything', 'x-kubernetes-preserve-unknown-fields': true } },
    });
    const kubectl = await cluster.embedded.kubectl();
    expect(await kubectl('explain foos')).toMatch(
      /DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*spec.*<Object>.*Specification of Foo/s,
    );
    expect(await kubectl('explain foos.metadata')).toMatch(
      /DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*CreationTimestamp is a timestamp/s,
    );
    expect(await kubectl('explain foos.spec.bars')).toMatch(
      /bars.*<\[\]Object>.*DESCRIPTION:.*List of Bars and their specs.*FIELDS:.*bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar/s,
    );
  });

  it('unknown and duplicate fields of a built-in kind are told in the order in which they stand', async () => {
    const namespace = await cluster.namespace();
    const template =
      '{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i","image":"j","k":1}]}}';
    const spec = `{"unknown":"foo","replicas":2,"replicas":3,"unknown":1,"selector":{"matchLabels":{"a":"b"}},"template":${template}}`;
    const answer = await cluster.api.send(`/apis/apps/v1/namespaces/${namespace}/deployments?fieldValidation=Strict`, {
      method: 'POST',
      body: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":${spec}}`,
    });
    expect(answer.body.message).toBe(
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.unknown", duplicate field "spec.replicas", duplicate field "spec.template.spec.containers[0].image", unknown field "spec.template.spec.containers[0].k"',
    );
  });

  it('quotas count what their scopes mean', async () => {
    const namespace = await cluster.namespace();
    const quotas = core(namespace, 'resourcequotas');
    const scopes = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating'];
    for (const scope of scopes)
      await cluster.post(quotas, {
        metadata: { name: scope.toLowerCase() },
        spec: { hard: { pods: '1' }, scopes: [scope] },
      });
    const used = async (expected: readonly string[]) =>
      eventually(async () => {
        const found = await Promise.all(scopes.map((scope) => cluster.get(`${quotas}/${scope.toLowerCase()}`)));
        expect(found.map(({ status }) => status.used?.pods)).toEqual(expected);
      });
    await used(['0', '0', '0', '0']);
    await cluster.post(core(namespace, 'pods'), { metadata: { name: 'effortless' }, spec: brief });
    await used(['1', '0', '0', '1']);
    const refused = await cluster.api.send(core(namespace, 'pods'), {
      method: 'POST',
      body: { metadata: { name: 'second' }, spec: brief },
    });
    expect(refused.code).toBe(403);
    expect(refused.body.message).toMatch(/exceeded quota: \w+, requested: pods=1, used: pods=1, limited: pods=1/);
    const resources = { requests: { cpu: '10m' } };
    await cluster.post(core(namespace, 'pods'), {
      metadata: { name: 'timed' },
      spec: { ...brief, activeDeadlineSeconds: 3600, containers: [container('main', { resources })] },
    });
    await used(['1', '1', '1', '1']);
    await cluster.delete(core(namespace, 'pods/effortless'));
    await used(['0', '1', '1', '0']);
  });

  it('the garbage collector follows every owner, and is not held up by a circle', async () => {
    const namespace = await cluster.namespace();
    const pods = core(namespace, 'pods');
    const owner = async (name: string) => {
      const { metadata } = await cluster.post(core(namespace, 'configmaps'), { metadata: { name } });
      return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: metadata.uid };
    };
    const [leaving, staying] = [await owner('leaving'), await owner('staying')];
    const blocking = { ...leaving, blockOwnerDeletion: true };
    await cluster.post(pods, { metadata: { name: 'both', ownerReferences: [blocking, staying] }, spec: brief });
    await cluster.post(pods, { metadata: { name: 'one', ownerReferences: [blocking] }, spec: brief });
    await cluster.delete(core(namespace, 'configmaps/leaving'), { propagationPolicy: 'Foreground' });
    await cluster.gone(core(namespace, 'configmaps/leaving'));
    expect((await cluster.api.send(`${pods}/one`)).code).toBe(404);
    expect((await cluster.get(`${pods}/both`)).metadata).toMatchObject({ ownerReferences: [{ name: 'staying' }] });
    const names = ['a', 'b', 'c'];
    const circle: Body[] = [];
    for (const name of names) circle.push(await cluster.post(pods, { metadata: { name }, spec: brief }));
    for (const [index, name] of names.entries()) {
      const { metadata } = circle[(index + 2) % 3]!;
      const reference = { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid };
      await cluster.patch(`${pods}/${name}`, STRATEGIC, {
        metadata: { ownerReferences: [{ ...reference, controller: true, blockOwnerDeletion: true }] },
      });
    }
    await cluster.delete(`${pods}/a`, { propagationPolicy: 'Foreground' });
    for (const name of names) await cluster.gone(`${pods}/${name}`);
  });

  it('a namespace goes with its pods first, and says what it waits for', async () => {
    const namespace = await cluster.namespace();
    const held = { name: 'held', finalizers: ['example.com/hold'] };
    await cluster.post(core(namespace, 'pods'), { metadata: held, spec: brief });
    await cluster.post(core(namespace, 'configmaps'), { metadata: { name: 'kept' } });
    await cluster.delete(`/api/v1/namespaces/${namespace}`);
    await eventually(async () => {
      const terminating = await cluster.get(`/api/v1/namespaces/${namespace}`);
      expect(conditionOf(terminating, 'NamespaceContentRemaining')?.message).toContain(
        'Some resources are remaining: pods. has 1 resource instances',
      );
      expect(conditionOf(terminating, 'NamespaceFinalizersRemaining')?.message).toContain(
        'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
      );
    });
    await cluster.get(core(namespace, 'configmaps/kept'));
    await cluster.patch(core(namespace, 'pods/held'), MERGE, { metadata: { finalizers: null } });
    await cluster.gone(`/api/v1/namespaces/${namespace}`);
  });

  it('writes to the approval of a signing request take annotations along', async () => {
    const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
    const path = `${requests}/annotated`;
    await cluster.post(requests, {
      metadata: { name: 'annotated' },
      spec: { request: signingRequest('/CN=annotated'), signerName: 'example.com/e2e', usages: ['client auth'] },
    });
    const approved = await cluster.patch(`${path}/approval`, MERGE, {
      metadata: { annotations: { patchedapproval: 'true' } },
      status: { conditions: [{ type: 'ApprovalPatch', status: 'True', reason: 'e2e' }] },
    });
    expect(approved.metadata.annotations).toEqual({ patchedapproval: 'true' });
    expect(approved.status.conditions).toHaveLength(1);
  });

  it('conditions of pods say which generation they are about', async () => {
    const namespace = await cluster.namespace();
    const pods = core(namespace, 'pods');
    const gated = { ...brief, schedulingGates: [{ name: 'example.com/gate' }], nodeSelector: { nowhere: 'yes' } };
    const made = await cluster.post(pods, { metadata: { name: 'gated', generation: 100 }, spec: gated });
    expect(made.metadata.generation).toBe(1);
    expect(conditionOf(made, 'PodScheduled')).toMatchObject({ reason: 'SchedulingGated', observedGeneration: 1 });
    await cluster.patch(`${pods}/gated`, MERGE, { spec: { schedulingGates: null } });
    const scheduled = async (expected: object) =>
      eventually(async () =>
        expect(conditionOf(await cluster.get(`${pods}/gated`), 'PodScheduled')).toMatchObject(expected),
      );
    await scheduled({ reason: 'Unschedulable', observedGeneration: 2 });
    const toleration = { op: 'add', path: '/spec/tolerations/-', value: { key: 'foo', operator: 'Exists' } };
    await cluster.patch(`${pods}/gated`, JSON_PATCH, [toleration]);
    await scheduled({ reason: 'Unschedulable', observedGeneration: 3 });
  });

  it('a readiness gate that closes is heard, and never overwritten', async () => {
    const namespace = await cluster.namespace();
    const path = core(namespace, 'pods/gate');
    const spec = { ...brief, readinessGates: [{ conditionType: 'example.com/open' }] };
    await cluster.post(core(namespace, 'pods'), { metadata: { name: 'gate' }, spec });
    await running(path);
    for (const status of ['True', 'False', 'True', 'False'] as const) {
      const condition = { type: 'example.com/open', status };
      await cluster.patch(`${path}/status`, STRATEGIC, { status: { conditions: [condition] } });
      await eventually(async () => expect(conditionOf(await cluster.get(path), 'Ready')?.status).toBe(status));
      expect(conditionOf(await cluster.get(path), 'example.com/open')?.status).toBe(status);
    }
  });

  it('a resize that the node has no room for changes nothing, and says why', async () => {
    const namespace = await cluster.namespace();
    const path = core(namespace, 'pods/resized');
    const cpu = (amount: string) => ({ requests: { cpu: amount }, limits: { cpu: amount } });
    const spec = { ...brief, containers: [container('main', { resources: cpu('10m') })] };
    await cluster.post(core(namespace, 'pods'), { metadata: { name: 'resized' }, spec });
    await running(path);
    const resize = (amount: string) =>
      cluster.patch(`${path}/resize`, STRATEGIC, { spec: { containers: [{ name: 'main', resources: cpu(amount) }] } });
    await resize('9999');
    await eventually(async () => {
      const pod = await cluster.get(path);
      expect(conditionOf(pod, 'PodResizePending')).toMatchObject({ status: 'True', reason: 'Infeasible' });
      expect(pod.status.observedGeneration).toBe(2);
      expect(pod.status.containerStatuses[0].resources).toEqual(cpu('10m'));
    });
    await resize('20m');
    await eventually(async () => {
      const pod = await cluster.get(path);
      expect(conditionOf(pod, 'PodResizePending')).toBeUndefined();
      expect(pod.status.containerStatuses[0]).toMatchObject({ resources: cpu('20m'), restartCount: 0 });
    });
  });

  it('preemption takes no more pods than it needs', async () => {
    const namespace = await cluster.namespace();
    const fake = 'example.com/fakecpu';
    for (const value of [1, 2, 3, 4])
      await cluster.post('/apis/scheduling.k8s.io/v1/priorityclasses', {
        metadata: { name: `preempt-${value}` },
        value,
      });
    const amount = { [fake]: '1000' };
    await cluster.patch('/api/v1/nodes/node-2/status', STRATEGIC, {
      status: { capacity: amount, allocatable: amount },
    });
    const watch = await cluster.api.watch(`${core(namespace, 'pods')}?watch=1`);
    const sets = `/apis/apps/v1/namespaces/${namespace}/replicasets`;
    for (const [index, asked] of ['200', '300', '450', '500'].entries()) {
      const name = `preempt-${index + 1}`;
      const resources = { requests: { [fake]: asked }, limits: { [fake]: asked } };
      await cluster.post(sets, {
        metadata: { name },
        spec: {
          replicas: 1,
          selector: { matchLabels: { name } },
          template: {
            metadata: { labels: { name } },
            spec: { ...brief, priorityClassName: name, containers: [container('main', { resources })] },
          },
        },
      });
      await eventually(async () => expect((await cluster.get(`${sets}/${name}`)).status.readyReplicas).toBe(1));
    }
    const made = (name: string) =>
      new Set(
        watch.events.filter(({ object }) => object.metadata.labels?.name === name).map((e) => e.object.metadata.name),
      ).size;
    await eventually(() => expect([1, 2, 3, 4].map((index) => made(`preempt-${index}`))).toEqual([2, 2, 1, 1]));
    const victim = await seen(watch, ({ object }) => conditionOf(object, 'DisruptionTarget') !== undefined);
    expect(conditionOf(victim.object, 'DisruptionTarget')?.reason).toBe('PreemptionByScheduler');
    watch.stop();
  });
});
