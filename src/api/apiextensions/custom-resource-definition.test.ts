import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../apimachinery/field.ts';
import { customResourceDefinition as definition } from './custom-resource-definition.ts';

const texts = (errors: readonly FieldError[] | undefined) => (errors ?? []).map(String);

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

const schemaOf = (openAPIV3Schema: object) => ({ openAPIV3Schema });

function crd(spec: object = {}, metadata: object = {}): Loose {
  const object: Loose = {
    metadata: { name: 'crontabs.stable.example.com', ...metadata },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: schemaOf({ type: 'object', properties: { spec: { type: 'object' } } }),
        },
      ],
      ...spec,
    },
  };
  definition.default?.(object);
  definition.prepareForCreate?.(object);
  return object;
}

const invalid = (spec: object, metadata?: object) => {
  const object = crd(spec, metadata);
  return texts([...(definition.validate?.(object) ?? []), ...(definition.validateCreate?.(object) ?? [])]);
};

const invalidSchema = (schema: object, version: object = {}) =>
  invalid({ versions: [{ name: 'v1', served: true, storage: true, schema: schemaOf(schema), ...version }] });

describe('CustomResourceDefinition', () => {
  it('is defaulted and remembers its storage version', () => {
    const object = crd();
    expect(object.spec.names).toEqual({
      plural: 'crontabs',
      kind: 'CronTab',
      singular: 'crontab',
      listKind: 'CronTabList',
    });
    expect(object.spec.conversion).toEqual({ strategy: 'None' });
    expect(object.status).toEqual({ storedVersions: ['v1'] });
    expect(invalid({})).toEqual([]);
  });

  it('checks names, group, scope and versions', () => {
    expect(invalid({}, { name: 'tabs.stable.example.com' })).toEqual([
      'metadata.name: Invalid value: "tabs.stable.example.com": must be spec.names.plural+"."+spec.group',
    ]);
    expect(invalid({ scope: 'Everywhere' })).toEqual([
      'spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"',
    ]);
    const version = crd().spec.versions[0];
    expect(invalid({ versions: [version, { ...version, name: 'v2' }] })).toEqual([
      expect.stringMatching(
        /^spec\.versions: Invalid value: .*: must have exactly one version marked as storage version$/,
      ),
      'status.storedVersions: Invalid value: ["v1"]: must have the storage version v2',
    ]);
    expect(invalid({ versions: [{ ...version, schema: undefined }] })).toEqual([
      'spec.versions[0].schema.openAPIV3Schema: Required value',
    ]);
    expect(invalid({ group: 'x.k8s.io' }, { name: 'crontabs.x.k8s.io' })).toEqual([
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    ]);
    expect(invalid({ preserveUnknownFields: true })).toEqual([
      expect.stringContaining('spec.preserveUnknownFields: Invalid value: true'),
    ]);
  });

  it('wants a structural schema', () => {
    expect(invalidSchema({ type: 'object', properties: { spec: {} } })).toEqual([
      'spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
    ]);
    expect(invalidSchema({ type: 'object', properties: { a: { type: 'array' } } })).toEqual([
      'spec.validation.openAPIV3Schema.properties[a].items: Required value: must be specified',
    ]);
    expect(
      invalidSchema({
        type: 'object',
        properties: { a: { type: 'string' } },
        allOf: [{ properties: { b: { minimum: 1 } } }],
      }),
    ).toEqual([
      'spec.validation.openAPIV3Schema.properties[b]: Required value: because it is defined in spec.validation.openAPIV3Schema.allOf[0].properties[b]',
    ]);
    expect(
      invalidSchema({ type: 'object', properties: { a: { type: 'string', anyOf: [{ type: 'string' }] } } }),
    ).toEqual([
      'spec.validation.openAPIV3Schema.properties[a].anyOf[0].type: Forbidden: must be empty to be structural',
    ]);
    expect(
      invalidSchema({
        type: 'object',
        properties: {
          port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
          any: { 'x-kubernetes-preserve-unknown-fields': true },
          metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 20 } } },
        },
      }),
    ).toEqual([]);
  });

  it('refuses what CRDs do not support', () => {
    expect(invalidSchema({ type: 'object', properties: { a: { type: 'object', $ref: '#/x' } } })).toEqual([
      'spec.validation.openAPIV3Schema.properties[a].$ref: Forbidden: $ref is not supported',
    ]);
    expect(
      invalidSchema({
        type: 'object',
        properties: {
          list: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            items: { type: 'object', properties: { name: { type: 'string' } } },
          },
        },
      }),
    ).toEqual([
      'spec.validation.openAPIV3Schema.properties[list].items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    ]);
    expect(
      invalidSchema(
        { type: 'object' },
        { subresources: { scale: { specReplicasPath: '.size', statusReplicasPath: '.status.size' } } },
      ),
    ).toEqual(['spec.subresources.scale.specReplicasPath: Invalid value: ".size": should be a json path under .spec']);
    expect(
      invalidSchema(
        { type: 'object' },
        { additionalPrinterColumns: [{ name: 'Size', type: 'text', jsonPath: 'spec' }] },
      ),
    ).toEqual([
      'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      'spec.additionalPrinterColumns[0].jsonPath: Invalid value: "spec": must be a simple json path starting with .',
    ]);
  });

  it('may not move what is stored', () => {
    const old = crd();
    old.status.conditions = [{ type: 'Established', status: 'True' }];
    const now = structuredClone(old);
    now.spec.scope = 'Cluster';
    now.spec.names.kind = 'Tab';
    expect(texts(definition.validateUpdate?.(now, old))).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.kind: Invalid value: "Tab": field is immutable',
    ]);
    const removed = structuredClone(old);
    removed.spec.versions = [{ ...old.spec.versions[0], name: 'v2' }];
    definition.prepareForUpdate?.(removed, old);
    expect(texts(definition.validate?.(removed))).toEqual([
      expect.stringContaining(
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously',
      ),
    ]);
  });
});
