import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deploymentSchema as schema } from '../example-schema.test-helper.ts';
import type { StatusError } from '../status-error.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

function reason(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String((error as StatusError).cause ?? (error as StatusError).message);
  }
  return '';
}

describe('JSON patch', () => {
  const document = { a: { b: [1, 2, 3] }, 'x/y': { '~': 1 } };

  it.each([
    [[{ op: 'add', path: '/a/b/1', value: 9 }], { a: { b: [1, 9, 2, 3] }, 'x/y': { '~': 1 } }],
    [[{ op: 'add', path: '/a/b/-', value: 9 }], { a: { b: [1, 2, 3, 9] }, 'x/y': { '~': 1 } }],
    [[{ op: 'remove', path: '/a/b/-1' }], { a: { b: [1, 2] }, 'x/y': { '~': 1 } }],
    [[{ op: 'replace', path: '/x~1y/~0', value: null }], { a: { b: [1, 2, 3] }, 'x/y': { '~': null } }],
    [[{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, 'x/y': { '~': 1 }, c: [1, 2, 3] }],
    [
      [
        { op: 'copy', from: '/a/b/0', path: '/d' },
        { op: 'test', path: '/d', value: 1 },
        { op: 'remove', path: '/a' },
      ],
      { 'x/y': { '~': 1 }, d: 1 },
    ],
    [[{ op: 'test', path: '/a/none', value: null }], document],
    [[{ op: 'replace', path: '', value: [1] }], [1]],
    [[{ op: 'replace', path: '/z', value: 1 }], { ...document, z: 1 }],
    [
      [
        { op: 'add', path: '/z' },
        { op: 'copy', from: '/none', path: '/a/b/+0' },
      ],
      { ...document, a: { b: [null, 1, 2, 3] }, z: null },
    ],
    [[], document],
  ])('%j', (operations, expected) => {
    expect(applyJsonPatch(document, operations)).toEqual(expected);
    expect(document).toEqual({ a: { b: [1, 2, 3] }, 'x/y': { '~': 1 } });
  });

  it('fails as a whole, saying why', () => {
    expect(() => applyJsonPatch(document, {})).toThrow('error decoding patch');
    expect(() => applyJsonPatch(document, [{ op: 'remove', path: '/z' }])).toThrow(
      'the server rejected our request due to an error in our request',
    );
    expect(reason(() => applyJsonPatch(document, [{ op: 'test', path: '/a/b/0', value: 2 }]))).toBe(
      'testing value /a/b/0 failed: test failed',
    );
    expect(reason(() => applyJsonPatch(document, [{ op: 'remove', path: '/z' }]))).toContain(
      'Unable to remove nonexistent key: z: missing value',
    );
    expect(reason(() => applyJsonPatch(document, [{ op: 'replace', path: '/a/b/3', value: 1 }]))).toBe(
      'replace operation does not apply: doc is missing key: /a/b/3: missing value',
    );
    expect(reason(() => applyJsonPatch(document, [{ op: 'replace', path: '', value: 1 }]))).toContain('must be object');
    expect(reason(() => applyJsonPatch(document, [{ op: 'add', path: '/a/b/7', value: 1 }]))).toContain(
      'invalid index referenced',
    );
    expect(reason(() => applyJsonPatch(document, [{ op: 'move', from: '/a', path: '/a/c' }]))).toBe(
      'move operation does not apply: doc is missing destination path: /a/c: missing value',
    );
    const doubling = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
    expect(reason(() => applyJsonPatch({ a: [1] }, doubling))).toContain('accumulated size increase');
  });

  it('does not reach prototypes', () => {
    const patched = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: 1 } }]) as Record<
      string,
      unknown
    >;
    expect(Object.keys(patched)).toEqual(['__proto__']);
    expect(
      reason(() => applyJsonPatch({}, [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }])),
    ).not.toBe('');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('merge patch', () => {
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('x', 1, true, null),
      fc.array(fc.nat(3), { maxLength: 2 }),
      tie('object'),
    ),
    object: fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('node')),
  })).object as fc.Arbitrary<Record<string, unknown>>;

  it('is RFC 7386', () => {
    expect(applyMergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: { f: null } }, d: [2, 3] })).toEqual({
      a: { c: 2, e: {} },
      d: [2, 3],
    });
    expect(applyMergePatch({ b: {} }, { a: [{ x: null }, null, [{ y: null }]], b: [{ z: null }] })).toEqual({
      a: [{}, null, [{}]],
      b: [{ z: null }],
    });
    expect(() => applyMergePatch({}, [])).toThrow();
  });

  it('is idempotent and leaves its input alone', () => {
    fc.assert(
      fc.property(value, value, (document, patch) => {
        const before = JSON.stringify(document);
        const once = applyMergePatch(document, patch);
        expect(JSON.stringify(document)).toBe(before);
        expect(applyMergePatch(once, patch)).toEqual(once);
      }),
    );
  });
});

describe('strategic merge patch', () => {
  const pod = (containers: unknown[], more: object = {}) => ({ spec: { template: { spec: { containers, ...more } } } });
  const names = (document: unknown) =>
    (document as ReturnType<typeof pod>).spec.template.spec.containers.map((c) => (c as { name: string }).name);
  const ab = pod([
    { name: 'a', image: '1', args: ['x'] },
    { name: 'b', image: '2' },
  ]);

  it('merges items by key, replaces atomic lists, deletes by null and directive', () => {
    const patch = pod([
      { name: 'a', image: '9', args: ['y'] },
      { name: 'b', $patch: 'delete' },
      { name: 'c', image: '3', env: null },
    ]);
    expect(applyStrategicMergePatch(ab, patch, schema)).toEqual(
      pod([
        { name: 'a', image: '9', args: ['y'] },
        { name: 'c', image: '3' },
      ]),
    );
    expect(ab.spec.template.spec.containers).toHaveLength(2);
  });

  it('replaces lists and maps', () => {
    expect(applyStrategicMergePatch(ab, pod([{ $patch: 'replace' }, { name: 'z' }]), schema)).toEqual(
      pod([{ name: 'z' }]),
    );
    const labelled = { metadata: { labels: { a: '1' } } };
    expect(applyStrategicMergePatch(labelled, { metadata: { labels: { $patch: 'replace', b: '2' } } }, schema)).toEqual(
      { metadata: { labels: { b: '2' } } },
    );
    expect(applyStrategicMergePatch(labelled, { metadata: { labels: { $patch: 'delete' } } }, schema)).toEqual({
      metadata: { labels: {} },
    });
  });

  it('keeps the order of Kubernetes', () => {
    expect(names(applyStrategicMergePatch(ab, pod([{ name: 'c' }]), schema))).toEqual(['c', 'a', 'b']);
    const order = { '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }, { name: 'a' }] };
    expect(names(applyStrategicMergePatch(ab, pod([{ name: 'c' }], order), schema))).toEqual(['b', 'c', 'a']);
    const three = pod([{ name: 'a' }, { name: 's' }, { name: 'b' }]);
    const reordered = { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] };
    expect(names(applyStrategicMergePatch(three, { spec: { template: { spec: reordered } } }, schema))).toEqual([
      's',
      'b',
      'a',
    ]);
    expect(() =>
      applyStrategicMergePatch(ab, pod([{ name: 'x' }], { '$setElementOrder/containers': [{ name: 'a' }] }), schema),
    ).toThrow("doesn't match $setElementOrder list");
  });

  it('merges primitives and deletes from them', () => {
    const document = { metadata: { finalizers: ['a', 'b'] } };
    expect(applyStrategicMergePatch(document, { metadata: { finalizers: ['c', 'a'] } }, schema)).toEqual({
      metadata: { finalizers: ['c', 'a', 'b'] },
    });
    expect(
      applyStrategicMergePatch(document, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }, schema),
    ).toEqual({ metadata: { finalizers: ['b'] } });
  });

  it('retains keys', () => {
    const document = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMergePatch(document, patch, schema)).toEqual({ spec: { strategy: { type: 'Recreate' } } });
    expect(() =>
      applyStrategicMergePatch(document, { spec: { strategy: { $retainKeys: ['x'], type: 'Recreate' } } }, schema),
    ).toThrow('invalid patch format of retainKeys');
    const volumes = { spec: { template: { spec: { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] } } } };
    const change = {
      spec: {
        template: { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/' } }] } },
      },
    };
    expect(applyStrategicMergePatch(volumes, change, schema)).toEqual({
      spec: { template: { spec: { volumes: [{ name: 'v', hostPath: { path: '/' } }] } } },
    });
  });

  it('refuses what it cannot merge', () => {
    expect(() => applyStrategicMergePatch(ab, pod([{ image: 'x' }]), schema)).toThrow(
      'does not contain declared merge key: name',
    );
    expect(reason(() => applyStrategicMergePatch(ab, { spec: { $patch: 'nope' } }, schema))).toContain(
      'unknown patch type: nope in map',
    );
    expect(() => applyStrategicMergePatch(ab, [], schema)).toThrow();
  });
});
