import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusError } from '../../apimachinery/status-error.ts';
import type { ApiRequest } from '../../apimachinery/transport.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of kinds that are made here
type Loose = any;

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const cronTabSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['cronSpec'],
      properties: {
        cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
        image: { type: 'string', default: 'busybox', maxLength: 20 },
        replicas: { type: 'integer', minimum: 1, maximum: 10 },
        port: { 'x-kubernetes-int-or-string': true },
        note: { type: 'string', nullable: true, default: 'none' },
        extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, size: { type: 'integer', default: 1 } },
          },
        },
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          'x-kubernetes-preserve-unknown-fields': true,
        },
        mode: { type: 'string', enum: ['Fast', 'Slow'] },
        choice: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        since: { type: 'string', format: 'date-time' },
      },
    },
    status: {
      type: 'object',
      properties: { replicas: { type: 'integer' }, selector: { type: 'string' }, phase: { type: 'string' } },
    },
  },
};

function crd(plural: string, kind: string, spec: object = {}, version: object = {}): Loose {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.stable.example.com` },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [plural.slice(0, 2)], categories: ['all'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: cronTabSchema },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: [
            { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
            { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          selectableFields: [{ jsonPath: '.spec.mode' }],
          ...version,
        },
      ],
      ...spec,
    },
  };
}

let api: TestApiServer;
const base = (plural: string, version = 'v1') => `/apis/stable.example.com/${version}/namespaces/default/${plural}`;
const send = async (
  method: ApiRequest['method'],
  path: string,
  body?: unknown,
  more: Partial<ApiRequest> = {},
): Promise<Loose> =>
  (await api.transport.request({ method, path, ...(body === undefined ? {} : { body }), ...more })).body;
const failure = async (request: Promise<unknown>): Promise<StatusError> => {
  try {
    await request;
  } catch (error) {
    return error as StatusError;
  }
  throw new Error('the request should have failed');
};
async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (let left = 200; left > 0; left--) {
    const value = await read().catch(() => undefined);
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it did not come about');
}
const condition = (object: Loose, type: string) => object.status?.conditions?.find((item: Loose) => item.type === type);
async function established(object: Loose): Promise<Loose> {
  await send('POST', CRDS, object);
  return until(async () => {
    const read = await send('GET', `${CRDS}/${object.metadata.name}`);
    return condition(read, 'Established')?.status === 'True' ? read : undefined;
  });
}
const cronTab = (plural: string, name: string, spec: object, more: object = {}): Loose => ({
  apiVersion: 'stable.example.com/v1',
  kind: plural === 'crontabs' ? 'CronTab' : 'Widget',
  metadata: { name },
  spec: { cronSpec: '* * * * *', ...spec },
  ...more,
});

beforeAll(async () => {
  api = await startTestApiServer();
  await established(crd('crontabs', 'CronTab'));
});
afterAll(() => api.stop());

describe('custom resources', () => {
  it('are served, with conditions and names in the status of their definition', async () => {
    const object = await send('GET', `${CRDS}/crontabs.stable.example.com`);
    expect(object.status).toMatchObject({
      acceptedNames: {
        plural: 'crontabs',
        singular: 'crontab',
        kind: 'CronTab',
        listKind: 'CronTabList',
        shortNames: ['cr'],
      },
      storedVersions: ['v1'],
      conditions: [
        { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
        {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        },
      ],
    });
    const list = await send('GET', '/apis/stable.example.com/v1');
    expect(list.resources.map((resource: Loose) => resource.name)).toEqual([
      'crontabs',
      'crontabs/scale',
      'crontabs/status',
    ]);
    expect((await send('GET', '/apis')).groups.map((group: Loose) => group.name)).toContain('stable.example.com');
  });

  it('are pruned and defaulted, and keep what they may', async () => {
    const made = await send(
      'POST',
      base('crontabs'),
      cronTab('crontabs', 'pruned', {
        port: '80%',
        note: null,
        unknown: 1,
        extra: { any: { thing: [1] } },
        parts: [{ name: 'a' }],
        template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', foo: 'bar' }, spec: { a: 1 } },
        replicas: null,
      }),
    );
    expect(made.spec).toEqual({
      cronSpec: '* * * * *',
      image: 'busybox',
      port: '80%',
      note: null,
      extra: { any: { thing: [1] } },
      parts: [{ name: 'a', size: 1 }],
      template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { a: 1 } },
    });
    expect(made.metadata.generation).toBe(1);
    const strict = await failure(
      send('POST', base('crontabs'), cronTab('crontabs', 'strict', { unknown: 1 }), {
        query: { fieldValidation: 'Strict' },
      }),
    );
    expect(strict.status).toMatchObject({
      code: 400,
      message: expect.stringContaining('strict decoding error: unknown field "spec.unknown"'),
    });
    const { warnings } = await api.transport.request({
      method: 'POST',
      path: base('crontabs'),
      query: { fieldValidation: 'Warn', dryRun: 'All' },
      body: cronTab('crontabs', 'warned', { unknown: 1 }),
    });
    expect(warnings).toEqual(['unknown field "spec.unknown"']);
  });

  it('are validated in the words of upstream', async () => {
    const errors = async (spec: object) => {
      const { status } = await failure(send('POST', base('crontabs'), cronTab('crontabs', 'bad', spec)));
      expect(status.code).toBe(422);
      return status.details?.causes?.map(({ field, message, reason }) => `${reason} ${field}: ${message}`);
    };
    expect(await errors({ cronSpec: undefined })).toEqual(['FieldValueRequired spec.cronSpec: Required value']);
    expect(await errors({ cronSpec: 5 })).toEqual([
      'FieldValueTypeInvalid spec.cronSpec: Invalid value: "integer": spec.cronSpec in body must be of type string: "integer"',
    ]);
    expect(await errors({ cronSpec: 'x' })).toEqual([
      'FieldValueInvalid spec.cronSpec: Invalid value: "x": spec.cronSpec in body should match \'^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$\'',
    ]);
    expect(await errors({ replicas: 11, image: 'i'.repeat(21), mode: 'Odd' })).toEqual([
      'FieldValueInvalid spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10',
      'FieldValueTooLong spec.image: Too long: may not be more than 20 bytes',
      'FieldValueNotSupported spec.mode: Unsupported value: "Odd": supported values: "Fast", "Slow"',
    ]);
    expect(await errors({ choice: {} })).toEqual([
      'FieldValueInvalid <nil>: Invalid value: "": "spec.choice" must validate one and only one schema (oneOf). Found none valid',
      'FieldValueRequired spec.choice.a: Required value',
    ]);
    expect(await errors({ tags: ['a', 'a'], parts: [{ name: 'p' }, { name: 'p' }] })).toEqual([
      'FieldValueDuplicate spec.tags[1]: Duplicate value: "a"',
      'FieldValueDuplicate spec.parts[1]: Duplicate value: {"name":"p"}',
    ]);
    expect(await errors({ since: 'yesterday', template: { metadata: {} } })).toEqual([
      'FieldValueTypeInvalid spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday"',
      'FieldValueRequired spec.template.apiVersion: Required value: must not be empty',
      'FieldValueRequired spec.template.kind: Required value: must not be empty',
    ]);
    const metadata = await failure(
      send('POST', base('crontabs'), cronTab('crontabs', 'meta', {}, { metadata: { name: 'm', labels: { a: 1 } } })),
    );
    expect(metadata.status).toMatchObject({
      code: 400,
      message: expect.stringContaining('cannot unmarshal number into Go'),
    });
  });

  it('are ruled by expressions when their shape is right, which excuse what does not change', async () => {
    const schema = (validations: readonly object[]) => ({
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: {
              name: { type: 'string', 'x-kubernetes-validations': validations },
              n: { type: 'integer', maximum: 5 },
            },
          },
        },
      },
    });
    const lamp = (name: string, spec: object) => ({
      apiVersion: 'stable.example.com/v1',
      kind: 'Lamp',
      metadata: { name },
      spec,
    });
    await established(crd('lamps', 'Lamp', {}, { schema: schema([]), selectableFields: [], subresources: {} }));
    const old = await send('POST', base('lamps'), lamp('old', { name: 'UPPER', n: 1 }));
    const path = `${CRDS}/lamps.stable.example.com`;
    const definition = structuredClone(await send('GET', path));
    definition.spec.versions[0].schema = schema([
      { rule: 'self == self.lowerAscii()', message: 'name must be lowercase' },
    ]);
    await send('PUT', path, definition);
    const bad = await until(async () => {
      const { message } = await failure(
        send('POST', base('lamps'), lamp('bad', { name: 'Bad', n: 6 }), { query: { dryRun: 'All' } }),
      );
      return message.includes('lowercase') ? message : undefined;
    });
    expect(bad).toBe(
      'Lamp.stable.example.com "bad" is invalid: [spec.n: Invalid value: 6: spec.n in body should be less than or equal to 5, spec.name: Invalid value: "Bad": name must be lowercase]',
    );
    expect((await failure(send('POST', base('lamps'), lamp('bad', { name: 1 })))).message).toBe(
      'Lamp.stable.example.com "bad" is invalid: [spec.name: Invalid value: "integer": spec.name in body must be of type string: "integer", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]',
    );
    const { warnings } = await api.transport.request({
      method: 'PUT',
      path: `${base('lamps')}/old`,
      body: { ...old, spec: { name: 'UPPER', n: 2 } },
    });
    expect(warnings).toEqual(['spec.name: Invalid value: "UPPER": name must be lowercase']);
    await send('DELETE', path);
  });

  it('have status and scale subresources and generations', async () => {
    await send('POST', base('crontabs'), cronTab('crontabs', 'sub', { replicas: 2 }, { status: { phase: 'dropped' } }));
    const read = await send('GET', `${base('crontabs')}/sub`);
    expect(read.status).toBeUndefined();
    const path = `${base('crontabs')}/sub/status`;
    const updated = await send('PUT', path, {
      ...read,
      spec: { cronSpec: '1 * * * *' },
      metadata: { ...read.metadata, labels: { a: 'b' } },
      status: { replicas: 1, selector: 'a=b' },
    });
    expect(updated).toMatchObject({
      spec: { cronSpec: '* * * * *' },
      status: { replicas: 1 },
      metadata: { generation: 1 },
    });
    expect(updated.metadata.labels).toBeUndefined();
    const scale = await send('GET', `${base('crontabs')}/sub/scale`);
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 2 }, status: { replicas: 1, selector: 'a=b' } });
    await send(
      'PATCH',
      `${base('crontabs')}/sub/scale`,
      { spec: { replicas: 4 } },
      { contentType: 'application/merge-patch+json' },
    );
    expect(await send('GET', `${base('crontabs')}/sub`)).toMatchObject({
      spec: { replicas: 4 },
      metadata: { generation: 2 },
    });
    const beyond = { contentType: 'application/merge-patch+json' } as const;
    expect(
      (await failure(send('PATCH', `${base('crontabs')}/sub/scale`, { spec: { replicas: 11 } }, beyond))).code,
    ).toBe(422);
    const applied = { ...scale, metadata: { name: 'sub' }, spec: { replicas: 3 }, status: undefined };
    const conflict = await failure(
      send('PATCH', `${base('crontabs')}/sub/scale`, applied, {
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: 'autoscaler' },
      }),
    );
    expect(conflict.message).toMatch(
      /^Apply failed with 1 conflict: conflict with "\w+" with subresource "scale" using autoscaling\/v1: \.spec\.replicas$/,
    );
    await send('POST', base('crontabs'), cronTab('crontabs', 'unscaled', {}));
    expect(await failure(send('GET', `${base('crontabs')}/unscaled/scale`))).toMatchObject({
      code: 500,
      message: 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
    });
    const unversioned = await failure(send('PUT', `${base('crontabs')}/sub`, cronTab('crontabs', 'sub', {})));
    expect(unversioned.message).toContain(
      'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    );
  });

  it('are selected by their selectable fields and applied by list keys', async () => {
    await send('POST', base('crontabs'), cronTab('crontabs', 'fast', { mode: 'Fast' }));
    const found = await send('GET', base('crontabs'), undefined, { query: { fieldSelector: 'spec.mode=Fast' } });
    expect(found.items.map((item: Loose) => item.metadata.name)).toEqual(['fast']);
    const apply = (manager: string, spec: object) =>
      send(
        'PATCH',
        `${base('crontabs')}/applied`,
        { ...cronTab('crontabs', 'applied', {}), spec },
        {
          contentType: 'application/apply-patch+yaml',
          query: { fieldManager: manager },
        },
      );
    await apply('one', { cronSpec: '* * * * *', parts: [{ name: 'a', size: 2 }] });
    const both = await apply('two', { parts: [{ name: 'b' }], tags: ['x'] });
    expect(both.spec).toMatchObject({
      cronSpec: '* * * * *',
      parts: [
        { name: 'a', size: 2 },
        { name: 'b', size: 1 },
      ],
      tags: ['x'],
    });
    const conflict = await failure(apply('two', { parts: [{ name: 'a', size: 3 }] }));
    expect(conflict.message).toContain('conflict with "one": .spec.parts[name="a"].size');
    const gone = await apply('one', { cronSpec: '* * * * *' });
    expect(gone.spec.parts).toEqual([{ name: 'b', size: 1 }]);
  });

  it('follow a change of their definition at once, and let unchanged faults be', async () => {
    await established(crd('widgets', 'Widget', {}, { selectableFields: [] }));
    await send('POST', base('widgets'), cronTab('widgets', 'old', { replicas: 10 }));
    const path = `${CRDS}/widgets.stable.example.com`;
    const now = structuredClone(await send('GET', path));
    const properties = now.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties;
    properties.replicas.maximum = 5;
    properties.added = { type: 'string', default: 'new' };
    delete properties.image;
    await send('PUT', path, now);
    const read = await send('GET', `${base('widgets')}/old`);
    expect(read.spec).toMatchObject({ added: 'new', replicas: 10 });
    expect(read.spec.image).toBeUndefined();
    const ratcheted = await send('PUT', `${base('widgets')}/old`, { ...read, spec: { ...read.spec, mode: 'Slow' } });
    expect(ratcheted.spec.mode).toBe('Slow');
    const worse = await failure(
      send('PUT', `${base('widgets')}/old`, { ...ratcheted, spec: { ...ratcheted.spec, replicas: 9 } }),
    );
    expect(worse.message).toContain('spec.replicas in body should be less than or equal to 5');
  });

  it('come in several versions that differ in name', async () => {
    const versions = (storage: string) =>
      ['v1', 'v2']
        .map((name) => ({
          name,
          served: true,
          storage: name === storage,
          deprecated: name === 'v1',
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          },
        }))
        .map(({ deprecated, ...version }) => (deprecated ? { ...version, deprecated } : version));
    await established(crd('gadgets', 'Gadget', { versions: versions('v1') }));
    const gadget = (version: string, name: string) => ({
      apiVersion: `stable.example.com/${version}`,
      kind: 'Gadget',
      metadata: { name },
      spec: { a: 1 },
    });
    await send('POST', base('gadgets', 'v2'), gadget('v2', 'one'));
    const { warnings, body } = await api.transport.request<Loose>({ method: 'GET', path: `${base('gadgets')}/one` });
    expect(body.apiVersion).toBe('stable.example.com/v1');
    expect(warnings).toEqual(['stable.example.com/v1 Gadget is deprecated; use stable.example.com/v2 Gadget']);
    const path = `${CRDS}/gadgets.stable.example.com`;
    const definition = await send('GET', path);
    const moved = await send('PUT', path, { ...definition, spec: { ...definition.spec, versions: versions('v2') } });
    expect(moved.status.storedVersions).toEqual(['v1', 'v2']);
    const list = await send('GET', base('gadgets', 'v2'));
    expect(list.items.map((item: Loose) => item.apiVersion)).toEqual(['stable.example.com/v2']);
    await send('PATCH', `${base('gadgets')}/one`, { spec: { b: 2 } }, { contentType: 'application/merge-patch+json' });
    expect(await send('GET', `${base('gadgets', 'v2')}/one`)).toMatchObject({
      apiVersion: 'stable.example.com/v2',
      spec: { a: 1, b: 2 },
    });
  });

  it('wait for names that others hold', async () => {
    await send('POST', CRDS, { ...crd('others', 'CronTab'), metadata: { name: 'others.stable.example.com' } });
    const refused = await until(async () => {
      const read = await send('GET', `${CRDS}/others.stable.example.com`);
      return condition(read, 'NamesAccepted') ? read : undefined;
    });
    expect(condition(refused, 'NamesAccepted')).toMatchObject({
      status: 'False',
      reason: 'ListKindConflict',
      message: '"CronTabList" is already in use',
    });
    expect(condition(refused, 'Established')).toMatchObject({
      status: 'False',
      reason: 'NotAccepted',
      message: 'not all names are accepted',
    });
    expect((await failure(send('GET', base('others')))).code).toBe(404);
    await send('DELETE', `${CRDS}/others.stable.example.com`);
  });

  it('go with their definition, finalizers first', async () => {
    await established(
      crd('things', 'Thing', {
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      }),
    );
    const thing = (name: string, finalizers?: string[]) => ({
      apiVersion: 'stable.example.com/v1',
      kind: 'Thing',
      metadata: { name, ...(finalizers ? { finalizers } : {}) },
    });
    await send('POST', base('things'), thing('plain'));
    await send('POST', base('things'), thing('held', ['example.com/hold']));
    let ended = false;
    const watch = api.transport.watch({ method: 'GET', path: base('things') }, () => {});
    watch.done.then(() => {
      ended = true;
    });
    const path = `${CRDS}/things.stable.example.com`;
    await send('DELETE', path);
    await until(async () => ((await send('GET', base('things'))).items.length === 1 ? true : undefined));
    expect(condition(await send('GET', path), 'Terminating')).toMatchObject({
      status: 'True',
      reason: 'InstanceDeletionInProgress',
    });
    expect(await failure(send('POST', base('things'), thing('late')))).toMatchObject({
      code: 405,
      message: 'create not allowed while custom resource definition is terminating',
    });
    await send(
      'PATCH',
      `${base('things')}/held`,
      { metadata: { finalizers: null } },
      { contentType: 'application/merge-patch+json' },
    );
    await until(
      async () =>
        (await failure(send('GET', path)).then(
          (error) => error.code === 404,
          () => false,
        )) || undefined,
    );
    expect((await failure(send('GET', base('things')))).message).toBe(
      'the server could not find the requested resource',
    );
    await until(async () => ended || undefined);
  });
});
