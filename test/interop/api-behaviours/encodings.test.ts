import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProtobufEncoding } from '../../../src/apiserver/http/protobuf.ts';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { ApiClient, type Body } from './api-client.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const pods = '/api/v1/namespaces/default/pods';

describe('protobuf beside the objects themselves', () => {
  let embedded: EmbeddedCluster;
  let api: ApiClient;
  let protobuf: ProtobufEncoding;
  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
    api = new ApiClient(embedded);
    protobuf = await ProtobufEncoding.load();
    await eventually(() => api.ok('/api/v1/namespaces/default/serviceaccounts/default'));
  });
  afterAll(async () => {
    api.close();
    await embedded.stop();
  });

  /** Sends the object in protobuf and reads the answer in it. */
  const send = async (
    method: string,
    path: string,
    object: { apiVersion: string; kind: string; [f: string]: unknown },
  ) => {
    const answer = await api.send(path, {
      method,
      body: protobuf.object(object)!,
      contentType: PROTOBUF,
      accept: PROTOBUF,
    });
    expect(answer.headers['content-type']).toBe(PROTOBUF);
    return { code: answer.code, body: protobuf.decode(answer.bytes) as Body };
  };
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'registry.example/app:1' }] },
  });

  it('takes a Binding, an Eviction and DeleteOptions', async () => {
    expect((await send('POST', pods, pod('bound'))).code).toBe(201);
    const bound = await send('POST', `${pods}/bound/binding`, {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'bound' },
      target: { kind: 'Node', name: 'node-1' },
    });
    expect(bound).toMatchObject({ code: 201, body: { kind: 'Status', status: 'Success' } });
    expect((await api.ok(`${pods}/bound`)).spec.nodeName).toBe('node-1');
    const evicted = await send('POST', `${pods}/bound/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'bound' },
    });
    expect(evicted).toMatchObject({ code: 201, body: { kind: 'Status', status: 'Success' } });
    await send('POST', pods, pod('deleted'));
    const refused = await send('DELETE', `${pods}/deleted`, {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid: 'another' },
    });
    expect(refused).toMatchObject({ code: 409, body: { kind: 'Status', reason: 'Conflict' } });
    expect((await send('DELETE', `${pods}/deleted`, { apiVersion: 'v1', kind: 'DeleteOptions' })).code).toBe(200);
  });

  it('takes a Scale, a TokenRequest and access reviews', async () => {
    await api.ok('/apis/apps/v1/namespaces/default/replicasets', {
      method: 'POST',
      body: {
        metadata: { name: 'scaled' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: 'scaled' } },
          template: { metadata: { labels: { app: 'scaled' } }, spec: pod('x').spec },
        },
      },
    });
    const scale = '/apis/apps/v1/namespaces/default/replicasets/scaled/scale';
    const read = protobuf.decode((await api.send(scale, { accept: PROTOBUF })).bytes) as Body;
    expect(read).toMatchObject({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'scaled' } });
    const { body: scaled } = await send('PUT', scale, {
      ...read,
      metadata: { name: 'scaled', namespace: 'default' },
      spec: { replicas: 2 },
    });
    expect(scaled.spec).toEqual({ replicas: 2 });
    const token = await send('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], expirationSeconds: 600 },
    });
    expect(token.code).toBe(201);
    expect(token.body.status.token.split('.')).toHaveLength(3);
    for (const kind of ['SubjectAccessReview', 'SelfSubjectAccessReview'] as const) {
      const review = await send('POST', `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`, {
        apiVersion: 'authorization.k8s.io/v1',
        kind,
        spec: { resourceAttributes: { verb: 'get', resource: 'pods' }, ...(kind[1] === 'u' ? { user: 'nobody' } : {}) },
      });
      expect(review).toMatchObject({ code: 201, body: { status: { allowed: kind !== 'SubjectAccessReview' } } });
    }
  });

  it('answers failures and lists in it', async () => {
    const missing = await api.send(`${pods}/none`, { accept: PROTOBUF });
    expect(missing.code).toBe(404);
    expect(protobuf.decode(missing.bytes)).toMatchObject({
      kind: 'Status',
      reason: 'NotFound',
      details: { name: 'none' },
    });
    const list = protobuf.decode((await api.send(pods, { accept: PROTOBUF })).bytes) as Body;
    expect(list).toMatchObject({ apiVersion: 'v1', kind: 'PodList' });
    expect(list.metadata.resourceVersion).toMatch(/^\d+$/);
  });

  it('falls back to JSON where there is no protobuf form', async () => {
    const accept = `${PROTOBUF};as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io,application/json`;
    const table = await api.send(pods, { accept });
    expect(table.body.kind).toBe('Table');
    const none = await api.send(pods, { accept: 'text/html' });
    expect(none.code).toBe(406);
    expect(none.body).toMatchObject({
      reason: 'NotAcceptable',
      message:
        'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    });
  });

  it('gives metadata alone, also of custom resources', async () => {
    await api.ok('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      method: 'POST',
      body: {
        metadata: { name: 'lamps.light.example.com' },
        spec: {
          group: 'light.example.com',
          scope: 'Namespaced',
          names: { plural: 'lamps', kind: 'Lamp' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          ],
        },
      },
    });
    const lamps = '/apis/light.example.com/v1/namespaces/default/lamps';
    await eventually(() => api.ok(lamps));
    const metadata = { name: 'partial', labels: { app: 'partial' } };
    await api.ok(lamps, { method: 'POST', body: { metadata, spec: { watts: 5 } } });
    await api.ok('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata, data: { a: 'b' } } });
    const accept = (kind: string, v: string) =>
      ['application/vnd.kubernetes.protobuf', 'application/json']
        .map((type) => `${type};as=${kind};g=meta.k8s.io;v=${v}`)
        .join();
    for (const path of [lamps, '/api/v1/namespaces/default/configmaps'])
      for (const v of ['v1', 'v1beta1']) {
        const one = await api.send(`${path}/partial`, { accept: accept('PartialObjectMetadata', v) });
        expect(one.headers['content-type']).toBe(PROTOBUF);
        const shown = protobuf.decode(one.bytes) as Body;
        expect(shown).toMatchObject({ apiVersion: `meta.k8s.io/${v}`, kind: 'PartialObjectMetadata', metadata });
        expect(Object.keys(shown)).toEqual(['apiVersion', 'kind', 'metadata']);
        const list = await api.send(`${path}?labelSelector=app%3Dpartial`, {
          accept: accept('PartialObjectMetadataList', v),
        });
        expect(protobuf.decode(list.bytes)).toMatchObject({
          apiVersion: `meta.k8s.io/${v}`,
          kind: 'PartialObjectMetadataList',
          metadata: { resourceVersion: expect.stringMatching(/^\d+$/) },
          items: [{ metadata }],
        });
        if (v !== 'v1') continue;
        const watched = await api.send(`${path}?watch=1&timeoutSeconds=1&labelSelector=app%3Dpartial`, {
          accept: accept('PartialObjectMetadata', v),
        });
        expect(watched.headers['content-type']).toBe(`${PROTOBUF};stream=watch`);
        const frame = watched.bytes.subarray(4, 4 + watched.bytes.readUInt32BE(0));
        expect(protobuf.decode(frame.subarray(frame.indexOf('k8s\0')))).toMatchObject({
          apiVersion: `meta.k8s.io/${v}`,
          kind: 'PartialObjectMetadata',
          metadata,
        });
      }
    for (const [path, kind, message] of [
      [
        pods,
        'PartialObjectMetadata',
        'you requested PartialObjectMetadata, but the requested object is a list (*core.PodList)',
      ],
      [
        `${lamps}/partial`,
        'PartialObjectMetadataList',
        'you requested PartialObjectMetadataList, but the requested object is not a list (*unstructured.Unstructured)',
      ],
    ] as const)
      expect(await api.send(path, { accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` })).toMatchObject({
        code: 406,
        body: { reason: 'NotAcceptable', message },
      });
  });

  it('streams a watch in frames', async () => {
    const { metadata } = await api.ok('/api/v1/namespaces/default/configmaps');
    await api.ok('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata: { name: 'seen' } } });
    const answer = await api.send(
      `/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`,
      { accept: PROTOBUF },
    );
    expect(answer.headers['content-type']).toBe(`${PROTOBUF};stream=watch`);
    const length = answer.bytes.readUInt32BE(0);
    const frame = answer.bytes.subarray(4, 4 + length);
    // A WatchEvent: field 1 is its type, field 2 a RawExtension around the enveloped object.
    expect(frame.subarray(0, 2 + frame[1]!).toString('latin1', 2)).toBe('ADDED');
    const object = frame.subarray(frame.indexOf('k8s\0'));
    expect(protobuf.decode(object)).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'seen' } });
  });
});
