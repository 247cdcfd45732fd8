import { describe, expect, it } from 'vitest';
import { humanDuration } from './age.ts';
import { deploymentSchema as schema } from './example-schema.test-helper.ts';
import { isConfigMapKey, isDns1123Label, isIP, isQualifiedName, validateName } from './names.ts';
import {
  applyDefaults,
  canonicalize,
  checkStructuralTypes,
  checkTypes,
  dropUnknownFields,
  findUnknownFields,
  requiredFields,
} from './typecheck.ts';

describe('types', () => {
  it('words wrong types as the decoder of Kubernetes does', () => {
    const object = {
      metadata: { labels: { a: 5 }, name: ['x'], creationTimestamp: 'now' },
      spec: {
        replicas: '3',
        template: { spec: { containers: 'x', terminationGracePeriodSeconds: 1.5, hostNetwork: 'yes' } },
        strategy: { rollingUpdate: { maxSurge: true } },
      },
      status: null,
    };
    expect(checkTypes(object, schema).map((m) => m.message)).toEqual([
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
      'json: cannot unmarshal array into Go struct field ObjectMeta.metadata.name of type string',
      'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      'json: cannot unmarshal string into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
      'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.template.spec.terminationGracePeriodSeconds of type int64',
      'json: cannot unmarshal string into Go struct field PodSpec.spec.template.spec.hostNetwork of type bool',
      'json: cannot unmarshal bool into Go value of type int32',
    ]);
    expect(checkTypes([], schema)[0]?.message).toBe('json: cannot unmarshal array into Go value of type v1.Deployment');
    const limits = { spec: { template: { spec: { containers: [{ resources: { limits: { cpu: 'x' } } }] } } } };
    expect(checkTypes(limits, schema)[0]?.message).toMatch(/^quantities must match the regular expression/);
    expect(checkStructuralTypes(object, schema)[0]?.toString()).toBe(
      'metadata.labels.a: Invalid value: "integer": metadata.labels.a in body must be of type string: "integer"',
    );
  });

  it('finds and drops unknown fields', () => {
    const object = { foo: 1, spec: { bar: {}, template: { spec: { containers: [{ name: 'a' }, { nope: 1 }] } } } };
    expect(findUnknownFields(object, schema)).toEqual([
      'unknown field "foo"',
      'unknown field "spec.bar"',
      'unknown field "spec.template.spec.containers[1].nope"',
    ]);
    dropUnknownFields(object, schema);
    expect(object).toEqual({ spec: { template: { spec: { containers: [{ name: 'a' }, {}] } } } });
  });

  it('defaults, requires, and takes null for absence', () => {
    const object = {
      spec: { replicas: null, template: { spec: { containers: [null, { ports: [{}, { protocol: 'UDP' }] }] } } },
    };
    canonicalize(object, schema);
    applyDefaults(object, schema);
    expect(object).toEqual({
      spec: { template: { spec: { containers: [{}, { ports: [{ protocol: 'TCP' }, { protocol: 'UDP' }] }] } } },
    });
    expect(requiredFields(object, schema).map(String)).toContain(
      'spec.template.spec.containers[0].name: Required value',
    );
  });
});

describe('canonical form', () => {
  it('has times in UTC and whole seconds', () => {
    const object = { metadata: { creationTimestamp: '2026-01-02T01:04:05.678+02:00' } };
    canonicalize(object, schema);
    expect(object.metadata.creationTimestamp).toBe('2026-01-01T23:04:05Z');
  });

  it('has no empty optional lists and maps', () => {
    const object = { metadata: { labels: {}, finalizers: [] }, spec: { template: { spec: { containers: [] } } } };
    const kept = structuredClone(object);
    canonicalize(kept, schema, { keepEmpty: true });
    expect(kept).toEqual(object);
    canonicalize(object, schema);
    expect(object).toEqual({ metadata: {}, spec: { template: { spec: { containers: [] } } } });
  });
});

describe('names', () => {
  it('says what is wrong in the words of Kubernetes', () => {
    expect(validateName('dns1123Subdomain', 'Bad_Name')).toEqual([
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
    expect(isDns1123Label('a.b')).toEqual(['must not contain dots']);
    expect(validateName('dns1123Label', 'web-', true)).toEqual([]);
    expect(validateName('dns1123Label', 'web-')).toHaveLength(1);
    expect(validateName('path', 'a/b%')).toEqual(["may not contain '/'", "may not contain '%'"]);
    expect(isQualifiedName('example.com/My.Name')).toEqual([]);
    expect(isQualifiedName('/x')).toEqual(['prefix part must be non-empty']);
    expect(isConfigMapKey('..x')).toEqual(["must not start with '..'"]);
    expect(['10.0.0.01', '::1', 'fe80::1%eth0', '1.2.3'].map((ip) => isIP(ip).length)).toEqual([0, 0, 1, 1]);
  });
});

describe('ages', () => {
  it.each([
    [-2000, '<invalid>'],
    [-1000, '0s'],
    [119_000, '119s'],
    [150_000, '2m30s'],
    [600_000, '10m'],
    [3 * 3_600_000, '3h'],
    [3 * 3_600_000 + 60_000, '3h1m'],
    [50 * 3_600_000, '2d2h'],
    [100 * 86_400_000, '100d'],
    [800 * 86_400_000, '2y70d'],
  ])('%d ms is %s', (ms, text) => expect(humanDuration(ms)).toBe(text));
});
