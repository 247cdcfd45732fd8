import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schemaOf } from '../../api/schema.ts';
import { createProtobufCodec } from '../../apimachinery/protobuf/codec.ts';
import { type HttpsApi, startHttpsApi } from '../testing/https-api.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const path = '/apis/shown.example.com/v1/namespaces/default/lamps';
const v2 = path.replace('/v1/', '/v2/');

let api: HttpsApi;
const lamp = (name: string, version = 'v1') =>
  JSON.stringify({
    apiVersion: `shown.example.com/${version}`,
    kind: 'Lamp',
    metadata: { name, labels: { app: name } },
    spec: { watts: 5 },
  });

beforeAll(async () => {
  api = await startHttpsApi();
  const schema = {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { watts: { type: 'integer' } } } },
    },
  };
  const additionalPrinterColumns = [{ name: 'Watts', type: 'integer', jsonPath: '.spec.watts' }];
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'lamps.shown.example.com' },
    spec: {
      group: 'shown.example.com',
      scope: 'Namespaced',
      names: { plural: 'lamps', kind: 'Lamp' },
      versions: [
        { name: 'v1', served: true, storage: true, schema, additionalPrinterColumns },
        { name: 'v2', served: true, storage: false, schema },
      ],
    },
  };
  expect((await api.send('POST', CRDS, JSON.stringify(crd))).status).toBe(201);
  const begun = Date.now();
  while ((await api.send('GET', path)).status !== 200) {
    if (Date.now() - begun > 15_000) throw new Error('it is not served');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect((await api.send('POST', path, lamp('one'))).status).toBe(201);
});
afterAll(() => api.stop());

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const PATCH_TYPES_OF_CUSTOM =
  'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';

describe('custom resources on the wire', () => {
  it('have no protobuf form', async () => {
    const { default: messages } = await import('../../api/facts/protobuf.json', { with: { type: 'json' } });
    const codec = createProtobufCodec({ messages: messages as never, schemaOf });
    for (const [body, message] of [
      [
        codec.wrap('shown.example.com/v1', 'Lamp', Buffer.from('{}')),
        'Lamp in version "v1" cannot be handled as a Lamp: object *unstructured.Unstructured does not implement the protobuf marshalling interface',
      ],
      [
        Buffer.from('garbage'),
        'the object provided is unrecognized (must be of type Lamp): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (67617262616765)',
      ],
    ] as const) {
      const sent = await api.send('POST', path, Buffer.from(body), { 'content-type': PROTOBUF });
      expect(sent.json).toMatchObject({ reason: 'BadRequest', code: 400, message: expect.stringContaining(message) });
    }
    const malformed = await api.send('POST', path, lamp('x'), { 'content-type': 'application/json;charset' });
    expect(malformed.json).toMatchObject({
      reason: 'UnsupportedMediaType',
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    });
    for (const [where, kind] of [
      [path, 'LampList'],
      [`${path}/one`, 'Lamp'],
    ] as const) {
      const read = await api.send('GET', where, undefined, { accept: `${PROTOBUF},application/json` });
      expect([read.status, read.type, read.json.kind]).toEqual([200, 'application/json', kind]);
    }
    const only = await api.send('GET', path, undefined, { accept: PROTOBUF });
    expect(only.status).toBe(406);
    const [event] = await api.watch(`${path}?watch=1`, 1, { accept: `${PROTOBUF};stream=watch,application/json` });
    expect(event).toMatchObject({ type: 'ADDED', object: { kind: 'Lamp' } });
  });

  it('are patched in the types of patches, and deleted with options in protobuf', async () => {
    for (const [where, contentType, message] of [
      [`${path}/one`, 'application/strategic-merge-patch+json', PATCH_TYPES_OF_CUSTOM],
      [`${path}/one`, PROTOBUF, PATCH_TYPES_OF_CUSTOM],
      ['/api/v1/namespaces/default', PROTOBUF, '415: Unsupported Media Type'],
    ] as const) {
      const patched = await api.send('PATCH', where, Buffer.from('k8s\0'), { 'content-type': contentType });
      expect(patched.json).toMatchObject({ code: 415, reason: 'UnsupportedMediaType', message });
    }
    const { default: messages } = await import('../../api/facts/protobuf.json', { with: { type: 'json' } });
    const codec = createProtobufCodec({ messages: messages as never, schemaOf });
    const options = (apiVersion: string) =>
      Buffer.from(
        codec.wrap(
          apiVersion,
          'DeleteOptions',
          codec.encodeMessage('k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions', {
            preconditions: { uid: 'another' },
          }),
        ),
      );
    for (const apiVersion of ['v1', 'meta.k8s.io/v1', 'shown.example.com/v1']) {
      const refused = await api.send('DELETE', `${path}/one`, options(apiVersion), { 'content-type': PROTOBUF });
      expect([refused.status, refused.json.reason], refused.text).toEqual([409, 'Conflict']);
    }
    const garbage = await api.send('DELETE', `${path}/one`, Buffer.from('garbage'), { 'content-type': PROTOBUF });
    expect(garbage.status).toBe(400);
    const odd = await api.send('DELETE', `${path}/one`, '{}', { 'content-type': 'text/plain' });
    expect(odd.json).toMatchObject({
      code: 415,
      message: expect.stringContaining('application/json, application/yaml, application/vnd.kubernetes.protobuf'),
    });
  });

  it('are missing as what they are not', async () => {
    const answer = await api.send('PUT', `${path}/one/status`, lamp('one'));
    expect(answer.json).toMatchObject({ code: 404, message: 'lamps.shown.example.com "one" not found' });
  });

  it('come as tables', async () => {
    const table = (await api.send('GET', path, undefined, { accept: TABLE })).json;
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Watts']);
    expect(table.rows[0]).toMatchObject({
      cells: ['one', 5],
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'one' } },
    });
    const [event] = await api.watch(`${path}?watch=1`, 1, { accept: TABLE });
    expect(event).toMatchObject({ type: 'ADDED', object: { kind: 'Table', rows: [{ cells: ['one', 5] }] } });
  });

  it('come as metadata alone', async () => {
    const one = (await api.send('GET', `${path}/one`, undefined, { accept: METADATA })).json;
    expect(one).toMatchObject({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'one' },
    });
    expect(one.spec).toBeUndefined();
    const list = (await api.send('GET', path, undefined, { accept: METADATA_LIST })).json;
    expect(list).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ metadata: { labels: { app: 'one' } } }],
    });
    expect(list.items[0].spec).toBeUndefined();
    const [event] = await api.watch(`${path}?watch=1`, 1, { accept: METADATA });
    expect(event).toMatchObject({
      type: 'ADDED',
      object: { kind: 'PartialObjectMetadata', metadata: { name: 'one' } },
    });
    expect(event.object.spec).toBeUndefined();
  });

  it('are watched in a version that is not the stored one', async () => {
    const events = api.watch(`${v2}?watch=1`, 2);
    await api.send('POST', path, lamp('two'));
    expect((await events).map(({ type, object }) => [type, object.apiVersion, object.metadata.name])).toEqual([
      ['ADDED', 'shown.example.com/v2', 'one'],
      ['ADDED', 'shown.example.com/v2', 'two'],
    ]);
    const gone = api.watch(`${v2}?watch=1&labelSelector=app%3Dtwo`, 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await api.send('DELETE', `${path}/two`);
    expect((await gone).map(({ type, object }) => [type, object.apiVersion])).toEqual([
      ['ADDED', 'shown.example.com/v2'],
      ['DELETED', 'shown.example.com/v2'],
    ]);
  });

  it('are in OpenAPI as soon as they are served', async () => {
    const index = (await api.send('GET', '/openapi/v3')).json;
    const document = await api.send('GET', index.paths['apis/shown.example.com/v1'].serverRelativeURL);
    expect(
      document.json.components.schemas['com.example.shown.v1.Lamp'].properties.spec.properties.watts,
    ).toMatchObject({
      type: 'integer',
    });
  });
});
