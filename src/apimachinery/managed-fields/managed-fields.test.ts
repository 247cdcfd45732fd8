import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepEqual } from '../deep-equal.ts';
import { deploymentSchema as schema, struct } from '../example-schema.test-helper.ts';
import { draft } from '../json.ts';
import type { ManagedFieldsEntry, UnstructuredObject } from '../meta.ts';
import type { Schema } from '../schema.ts';
import { isStatusError, type StatusError } from '../status-error.ts';
import { applyPatch, checkConfiguration } from './apply-patch.ts';
import { trackWrite } from './track-write.ts';
import type { OtherVersion } from './versions.ts';

const apiVersion = 'apps/v1';
type Tree = Record<string, unknown>;

function deployment(spec: Tree, metadata: object = {}): UnstructuredObject {
  return {
    apiVersion,
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    ...(Object.keys(spec).length > 0 ? { spec } : {}),
  } as never;
}

function write(manager: string, object: UnstructuredObject, old?: UnstructuredObject, now = '2024-01-01T00:00:00Z') {
  const tracked = trackWrite({ object, old, schema, manager, apiVersion, operation: 'Update', now });
  return { ...tracked, metadata: { ...tracked.metadata, uid: 'u1' } } as UnstructuredObject;
}

function apply(
  manager: string,
  config: UnstructuredObject,
  live: UnstructuredObject | undefined,
  extra: { force?: boolean; now?: string; subresource?: string; ignore?: string[] } = {},
) {
  const { object } = applyPatch({
    live,
    config,
    schema,
    manager,
    apiVersion,
    force: false,
    now: '2024-01-02T00:00:00Z',
    ...extra,
  });
  return { ...object, metadata: { ...object.metadata, uid: 'u1' } } as UnstructuredObject;
}

const entry = (object: UnstructuredObject, manager: string) =>
  object.metadata.managedFields?.find((e) => e.manager === manager);
const specOf = (object: UnstructuredObject) => object.spec as Tree;
function failure(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    if (isStatusError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const base = {
  replicas: 3,
  selector: { matchLabels: { app: 'web' } },
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%' } },
  template: {
    metadata: { labels: { app: 'web' } },
    spec: {
      containers: [
        {
          name: 'nginx',
          image: 'nginx:1',
          args: ['a'],
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: {},
        },
      ],
      nodeSelector: { os: 'linux' },
    },
  },
};

describe('tracking writes', () => {
  it('owns what a create sets, in the form that Kubernetes writes', () => {
    const created = write(
      'kubectl-create',
      deployment(base, { labels: { app: 'web' }, generation: 1, finalizers: ['a/b'] }),
    );
    expect(created.metadata.managedFields).toEqual([
      {
        manager: 'kubectl-create',
        operation: 'Update',
        apiVersion: 'apps/v1',
        time: '2024-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:finalizers': { '.': {}, 'v:"a/b"': {} }, 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {} }, 'f:type': {} },
            'f:template': {
              'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
              'f:spec': {
                'f:containers': {
                  'k:{"name":"nginx"}': {
                    '.': {},
                    'f:args': {},
                    'f:image': {},
                    'f:name': {},
                    'f:ports': {
                      '.': {},
                      'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                    },
                    'f:resources': {},
                  },
                },
                'f:nodeSelector': {},
              },
            },
          },
        },
      },
    ]);
  });

  it('moves changed fields to whoever changed them, and keeps times of others', () => {
    const created = write('a', deployment(base));
    const changed = deployment({ ...base, replicas: 5 }, created.metadata as object);
    const updated = write('b', changed, created, '2024-02-01T00:00:00Z');
    expect(entry(updated, 'b')).toMatchObject({
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
      time: '2024-02-01T00:00:00Z',
    });
    expect(entry(updated, 'a')?.time).toBe('2024-01-01T00:00:00Z');
    expect(entry(updated, 'a')?.fieldsV1?.['f:spec']).not.toHaveProperty('f:replicas');
    const again = trackWrite({
      object: updated,
      old: updated,
      schema,
      manager: 'c',
      apiVersion,
      now: '2025-01-01T00:00:00Z',
    });
    expect(again).toBe(updated);
  });

  it('gives up removed fields', () => {
    const created = write('a', deployment({ replicas: 1 }));
    const updated = write('b', deployment({}, created.metadata as object), created);
    expect(updated.metadata.managedFields).toBeUndefined();
  });

  it('keeps subresources apart, ignores what the endpoint resets, and falls back to stored managedFields', () => {
    const created = write('a', deployment(base));
    const { managedFields: _, ...metadata } = created.metadata;
    const object = { ...deployment(base, metadata), status: { replicas: 3 } } as UnstructuredObject;
    const tracked = trackWrite({
      object,
      old: created,
      schema,
      manager: 'a',
      apiVersion,
      subresource: 'status',
      now: '2024-01-03T00:00:00Z',
    });
    expect(tracked.metadata.managedFields?.map((e) => [e.manager, e.subresource])).toEqual([
      ['a', undefined],
      ['a', 'status'],
    ]);
    const ignored = trackWrite({
      object,
      old: created,
      schema,
      manager: 'b',
      apiVersion,
      now: '2024-01-03T00:00:00Z',
      ignore: ['status'],
    });
    expect(ignored.metadata.managedFields).toEqual(created.metadata.managedFields);
  });

  it('resets managedFields on request and then stays out', () => {
    const created = write('a', deployment(base));
    const reset = write('b', deployment(base, { ...created.metadata, managedFields: [{}] } as object), created);
    expect(reset.metadata.managedFields).toBeUndefined();
    const later = write('c', deployment({ ...base, replicas: 9 }, { uid: 'u1' }), reset);
    expect(later.metadata.managedFields).toBeUndefined();
    const applied = failure(() => apply('applier', deployment({ replicas: 1 }), later));
    expect(applied.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas',
    );
  });

  it('merges the oldest updaters beyond ten', () => {
    let object = write('m00', deployment({}, { labels: { l00: '' } }));
    for (let i = 1; i <= 12; i++) {
      const name = String(i).padStart(2, '0');
      const labels = { ...object.metadata.labels, [`l${name}`]: '' };
      object = write(
        `m${name}`,
        deployment({}, { ...object.metadata, labels } as object),
        object,
        `2024-01-${name}T00:00:00Z`,
      );
    }
    const managers = (object.metadata.managedFields as ManagedFieldsEntry[]).map((e) => e.manager);
    expect(managers).toHaveLength(10);
    expect(managers).toContain('ancient-changes');
    expect(entry(object, 'ancient-changes')?.fieldsV1).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:l00': {}, 'f:l01': {}, 'f:l02': {}, 'f:l03': {} } },
    });
  });
});

describe('server-side apply', () => {
  it('creates, owning the leaves and items of the configuration', () => {
    const created = apply('me', deployment(base, { labels: { app: 'web' } }), undefined);
    expect(entry(created, 'me')).toMatchObject({
      operation: 'Apply',
      fieldsV1: {
        'f:metadata': { 'f:labels': { 'f:app': {} } },
        'f:spec': { 'f:strategy': { 'f:rollingUpdate': { 'f:maxSurge': {} }, 'f:type': {} } },
      },
    });
    expect(entry(created, 'me')?.fieldsV1?.['f:metadata']).not.toHaveProperty('f:name');
    expect(specOf(created)).toEqual(base);
  });

  it('reports conflicts and forces them', () => {
    const live = write('kubectl-client-side-apply', deployment(base));
    const config = deployment({
      replicas: 5,
      template: { spec: { containers: [{ name: 'nginx', image: 'nginx:2' }] } },
    });
    const conflict = failure(() => apply('me', config, live));
    expect(conflict.status).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="nginx"].image',
      details: {
        causes: [
          {
            reason: 'FieldManagerConflict',
            message: 'conflict with "kubectl-client-side-apply" using apps/v1',
            field: '.spec.replicas',
          },
          { field: '.spec.template.spec.containers[name="nginx"].image' },
        ],
      },
    });
    const forced = apply('me', config, live, { force: true });
    expect(specOf(forced).replicas).toBe(5);
    const others = entry(forced, 'kubectl-client-side-apply')?.fieldsV1?.['f:spec'] as Tree;
    expect(others['f:replicas']).toBeUndefined();
    const back = failure(() => apply('you', deployment({ replicas: 1 }), forced));
    expect(back.message).toBe('Apply failed with 1 conflict: conflict with "me": .spec.replicas');
  });

  it('shares fields of equal value, and removes a field when its last applier drops it', () => {
    let object = apply('a', deployment({ replicas: 2 }, { labels: { x: '1', y: '2' } }), undefined);
    object = apply('b', deployment({}, { labels: { x: '1' } }), object);
    object = apply('a', deployment({ replicas: 2 }, {}), object);
    expect(object.metadata.labels).toEqual({ x: '1' });
    object = apply('b', deployment({}), object);
    expect(object.metadata.labels).toBeUndefined();
    expect(specOf(object).replicas).toBe(2);
    expect(entry(object, 'b')).toBeUndefined();
  });

  it('keeps a field that its applier drops while an updater owns it too', () => {
    let object = write('scaler', deployment({ replicas: 3 }), undefined);
    object = apply('a', deployment({ replicas: 3 }, { labels: { x: '1' } }), object);
    object = apply('a', deployment({}), object);
    expect(specOf(object).replicas).toBe(3);
    expect(object.metadata.labels).toBeUndefined();
    expect(object.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['scaler']);
  });

  it('leaves to updaters what only they set inside an item that is dropped', () => {
    let object = apply(
      'a',
      deployment({
        template: {
          spec: {
            containers: [
              { name: 'one', image: 'x' },
              { name: 'two', image: 'y' },
            ],
          },
        },
      }),
      undefined,
    );
    const live = object;
    const changed = draft(live) as unknown as { spec: { template: { spec: { containers: Tree[] } } } };
    (changed.spec.template.spec.containers[1] as Tree).args = ['injected'];
    object = write('mutator', changed as never, live);
    object = apply('a', deployment({ template: { spec: { containers: [{ name: 'one', image: 'x' }] } } }), object);
    expect((specOf(object).template as { spec: { containers: Tree[] } }).spec.containers).toEqual([
      { name: 'one', image: 'x' },
    ]);
    expect(entry(object, 'mutator')).toBeUndefined();
  });

  it('keeps the time when nothing changes', () => {
    const config = deployment({ replicas: 2 });
    const first = apply('a', config, undefined, { now: '2024-01-01T00:00:00Z' });
    const second = applyPatch({
      live: first,
      config,
      schema,
      manager: 'a',
      apiVersion,
      force: false,
      now: '2030-01-01T00:00:00Z',
    });
    expect(second.unchanged).toBe(true);
    expect(second.object).toEqual(first);
  });

  it('merges lists by key in the order of the configuration', () => {
    const containers = (...names: string[]) =>
      deployment({ template: { spec: { containers: names.map((name) => ({ name })) } } });
    let object = apply('a', containers('a', 'b', 'c'), undefined);
    object = apply('b', containers('x', 'b'), object);
    expect((specOf(object).template as { spec: { containers: Tree[] } }).spec.containers.map((c) => c.name)).toEqual([
      'a',
      'x',
      'b',
      'c',
    ]);
    expect(failure(() => apply('b', containers('x', 'x'), object)).message).toBe(
      'failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="x"]',
    );
    expect(failure(() => apply('b', deployment({ nope: 1 }), object)).message).toContain(
      '.spec.nope: field not declared in schema',
    );
  });

  it('takes over from kubectl client-side apply, and keeps its annotation current', () => {
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const applied = deployment({ replicas: 3 });
    const live = write(
      'kubectl-client-side-apply',
      deployment(base, { annotations: { [annotation]: JSON.stringify(applied) } }),
    );
    const object = apply('kubectl', deployment({ replicas: 4 }), live);
    expect(specOf(object).replicas).toBe(4);
    expect(object.metadata.annotations?.[annotation]).toBe(`${JSON.stringify(deployment({ replicas: 4 }))}\n`);
    const scaled = write('hpa', deployment({ ...base, replicas: 7 }, live.metadata as object), live);
    expect(failure(() => apply('kubectl', deployment({ replicas: 4 }), scaled)).message).toContain(
      '"hpa" using apps/v1',
    );
  });

  it('refuses managedFields and other versions', () => {
    expect(failure(() => apply('a', deployment({}, { managedFields: [] }), undefined)).message).toBe(
      'metadata.managedFields must be nil',
    );
    expect(failure(() => apply('a', { ...deployment({}), apiVersion: 'apps/v2' }, undefined)).code).toBe(400);
  });

  const label = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'));
  const containers = fc
    .uniqueArray(fc.constantFrom('x', 'y', 'z'))
    .chain((names) =>
      fc.tuple(
        ...names.map((name) =>
          fc.record({ name: fc.constant(name), image: fc.constantFrom('i', 'j') }, { requiredKeys: ['name'] }),
        ),
      ),
    );
  const config = fc
    .record({ labels: label, replicas: fc.option(fc.nat(3), { nil: undefined }), containers })
    .map(({ labels, replicas, containers: list }) =>
      deployment(
        {
          ...(replicas === undefined ? {} : { replicas }),
          ...(list.length > 0 ? { template: { spec: { containers: list } } } : {}),
        },
        { labels },
      ),
    );

  it('ends with what the last configuration says, and applying it again changes nothing', () => {
    fc.assert(
      fc.property(config, config, config, (first, second, third) => {
        let object = apply('a', first, undefined);
        object = apply('b', second, object, { force: true });
        object = apply('a', third, object, { force: true });
        const again = apply('a', third, object, { now: '2040-01-01T00:00:00Z' });
        expect(again).toEqual(object);
        for (const [key, value] of Object.entries(third.metadata.labels ?? {}))
          expect(object.metadata.labels?.[key]).toBe(value);
        const alone = apply('a', deployment({}), apply('b', deployment({}), object, { force: true }), { force: true });
        expect(alone.metadata.labels ?? {}).toEqual({});
        expect(alone.metadata.managedFields).toBeUndefined();
        expect(deepEqual(specOf(alone)?.template ?? {}, {})).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('configurations that cannot be applied', () => {
  const container = (...containers: unknown[]) => ({ template: { spec: { containers } } });
  const at = '.spec.template.spec.containers';
  it.each<[string, Tree, string]>([
    ['a field that is none', { foo: 1 }, '.spec.foo: field not declared in schema'],
    ['text for a number', { replicas: '3' }, '.spec.replicas: expected numeric (int or float), got string'],
    [
      'a number for text',
      container({ name: 'a', image: 3 }),
      `${at}[name="a"].image: expected string, got &value.valueUnstructured{Value:3}`,
    ],
    ['text for a list', { template: { spec: { containers: 'x' } } }, `${at}: expected list, got &{x}`],
    ['a list for an object', { strategy: ['a', { b: 1 }] }, '.spec.strategy: expected map, got &{[a map[b:1]]}'],
    [
      'a map for a quantity',
      container({ name: 'a', resources: { limits: { cpu: { a: 'b' } } } }),
      `${at}[name="a"].resources.limits.cpu: expected any scalar, got &{map[a:b]}`,
    ],
    ['an item twice', container({ name: 'a' }, { name: 'a' }), `${at}: duplicate entries for key [name="a"]`],
    [
      'an item twice by a default',
      container({ name: 'a', ports: [{ containerPort: 1 }, { containerPort: 1, protocol: 'TCP' }] }),
      `${at}[name="a"].ports: duplicate entries for key [containerPort=1,protocol="TCP"]`,
    ],
    [
      'an item without its key',
      container({ image: 'x' }),
      `${at}: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)`,
    ],
    ['null for an item', container(null), `${at}: element 0: associative list with keys may not have a null element`],
  ])('%s', (_, spec, message) => {
    const error = failure(() => apply('a', deployment(spec), undefined));
    expect([error.code, error.message]).toEqual([
      500,
      `failed to create typed patch object (default/web; apps/v1, Kind=Deployment): ${message}`,
    ]);
  });

  it('tells of all that is wrong, and of another version first', () => {
    expect(failure(() => apply('a', deployment({ foo: 1, bar: 2 }), undefined)).message).toContain(
      'errors:\n  .spec.foo: field not declared in schema\n  .spec.bar: field not declared in schema',
    );
    const other = { ...deployment({}), apiVersion: 'apps/v2' };
    expect(failure(() => checkConfiguration(other, { schema, apiVersion, kind: 'Deployment' }))).toMatchObject({
      code: 400,
      message: 'invalid object type: apps/v2, Kind=Deployment',
    });
  });
});

describe('what managers own over time', () => {
  it('gives no time to who only shares what is as it wants it', () => {
    const created = apply('a', deployment({ replicas: 1 }), undefined);
    const shared = apply('b', deployment({ replicas: 1 }), created, { now: '2025-01-01T00:00:00Z' });
    expect(entry(shared, 'b')).toEqual({
      manager: 'b',
      operation: 'Apply',
      apiVersion,
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
    });
    expect(entry(shared, 'a')?.time).toBe('2024-01-02T00:00:00Z');
  });

  const managed = (apiVersion: string, fields: object): UnstructuredObject =>
    deployment(
      { replicas: 1 },
      {
        uid: 'u1',
        managedFields: [{ manager: 'old', operation: 'Update', apiVersion, fieldsType: 'FieldsV1', fieldsV1: fields }],
      },
    );

  it('goes by the fields of the version somebody wrote in, and drops who wrote in one that is gone', () => {
    const renamed = struct('Deployment', { spec: struct('DeploymentSpec', { size: { type: 'int32' } }) });
    const version: OtherVersion = {
      schema: renamed,
      convert: (object) => ({ ...object, spec: { size: specOf(object).replicas } }) as never,
      revert: (object) => ({ ...object, spec: { replicas: specOf(object).size } }) as never,
    };
    const versions = (wanted: string) => (wanted === 'apps/v0' ? version : undefined);
    const old = managed('apps/v0', { 'f:spec': { 'f:size': {} } });
    const options = { schema, manager: 'b', apiVersion, now: '2024-01-02T00:00:00Z', versions };
    const config = deployment({ replicas: 2 });
    expect(failure(() => applyPatch({ ...options, live: old, config, force: false })).message).toBe(
      'Apply failed with 1 conflict: conflict with "old" using apps/v0: .spec.size',
    );
    const object = deployment({ replicas: 2 }, old.metadata as object);
    expect(entry(trackWrite({ ...options, object, old }), 'old')).toBeUndefined();
    const gone = managed('apps/v9', { 'f:spec': { 'f:paused': {} } });
    expect(
      entry(trackWrite({ ...options, object: deployment({ replicas: 2 }, gone.metadata as object), old: gone }), 'old'),
    ).toBeUndefined();
  });

  it('owns the whole of what a CRD has made one value', () => {
    const options: Schema = { type: 'map', items: () => ({ type: 'string' }), mapType: 'atomic' };
    const { name: _, ...custom } = struct('Custom', {
      spec: { type: 'object', fields: () => new Map([['options', { schema: options }]]) },
    });
    const old = {
      ...managed('ex.com/v1', { 'f:spec': { 'f:options': { '.': {}, 'f:a': {} } } }),
      spec: { options: { a: '1' } },
    } as never as UnstructuredObject;
    const object = { ...old, metadata: { ...old.metadata, labels: { x: 'y' } } } as UnstructuredObject;
    const tracked = trackWrite({ object, old, schema: custom, manager: 'b', apiVersion: 'ex.com/v1', now: 0 });
    expect(entry(tracked, 'old')?.fieldsV1).toEqual({ 'f:spec': { 'f:options': {} } });
  });
});
