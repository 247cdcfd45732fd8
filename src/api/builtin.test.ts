import { describe, expect, it } from 'vitest';
import { builtinKinds } from './builtin.ts';
import { createKindRegistry } from './registry.ts';
import { schemaOf, typeNames } from './schema.ts';

describe('built-in kinds', () => {
  const kinds = builtinKinds();
  const registry = createKindRegistry(kinds);

  it('serves every GA resource once, with a schema', () => {
    const resources = kinds.map((kind) => `${kind.group}/${kind.version}/${kind.resource}`);
    expect(new Set(resources).size).toBe(resources.length);
    expect(resources).toContain('apps/v1/deployments');
    expect(resources).toContain('/v1/pods');
    expect(resources.filter((name) => /v\d+(alpha|beta)/.test(name))).toEqual([
      'storagemigration.k8s.io/v1beta1/storageversionmigrations',
    ]);
    for (const kind of kinds) expect(kind.schema.type).toBe('object');
  });

  it('takes names and subresources from the facts', () => {
    const pods = registry.byResource('', 'v1', 'pods')!;
    expect(pods).toMatchObject({
      kind: 'Pod',
      listKind: 'PodList',
      singular: 'pod',
      shortNames: ['po'],
      namespaced: true,
    });
    expect(pods.subresources.status).toBeDefined();
    expect(pods.subresources.others?.find(({ name }) => name === 'eviction')).toMatchObject({
      group: 'policy',
      version: 'v1',
      kind: 'Eviction',
    });
    expect(registry.byKind('', 'v1', 'Binding')?.virtual).toBe(true);
    expect(pods.virtual).toBeUndefined();
  });

  it('announces what is added and removed', () => {
    let changes = 0;
    const own = createKindRegistry();
    const stop = own.onChange(() => changes++);
    own.add(registry.byResource('', 'v1', 'pods')!);
    own.remove('', 'v1', 'pods');
    own.remove('', 'v1', 'pods');
    stop();
    own.add(registry.byResource('', 'v1', 'pods')!);
    expect(changes).toBe(2);
    expect(own.all()).toHaveLength(1);
  });
});

describe('schemas', () => {
  it('resolves every field of every type', () => {
    for (const name of typeNames()) {
      for (const [, field] of schemaOf(name).fields?.() ?? []) {
        const { schema } = field;
        if (schema.type === 'list' || schema.type === 'map') expect(schema.items?.().type).toBeTruthy();
      }
    }
  });

  it('carries list and patch semantics and upstream names', () => {
    const spec = schemaOf('core.v1.PodSpec');
    expect(spec.name).toBe('io.k8s.api.core.v1.PodSpec');
    const containers = spec.fields?.().get('containers');
    expect(containers?.required).toBe(true);
    expect(containers?.schema).toMatchObject({ listType: 'map', listMapKeys: ['name'], patchMergeKey: 'name' });
    expect(schemaOf('core.v1.Container').fields?.().get('ports')?.schema.items?.()).toBe(
      schemaOf('core.v1.ContainerPort'),
    );
    expect(schemaOf('meta.v1.ObjectMeta').name).toBe('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
    expect(schemaOf('core.v1.Pod').gvk).toEqual({ group: '', version: 'v1', kind: 'Pod' });
  });
});
