import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../../../api/builtin.ts';
import { createKindRegistry } from '../../../api/registry.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { alwaysAllow } from '../../authorization/system-masters.ts';
import { admit, pod } from '../testing/admit.ts';
import { mutatingPolicies } from './mutating-policies.ts';

type Options = Parameters<typeof mutatingPolicies>[0];

const params = [{ metadata: { name: 'one' } }, { metadata: { name: 'two' } }];

async function step(spec: object, binding: object = {}) {
  const policies = await mutatingPolicies({
    kinds: createKindRegistry(builtinKinds()),
    reader: { get: () => ({ metadata: { name: 'shop' } }) },
    authorizer: alwaysAllow,
    logger: silentLogger,
    transport: { request: async () => ({ body: { items: params } }) },
  } as unknown as Options);
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
  policies.upsert('mutatingadmissionpolicies.admissionregistration.k8s.io', {
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: rules }, ...spec },
  } as never);
  policies.upsert('mutatingadmissionpolicybindings.admissionregistration.k8s.io', {
    metadata: { name: 'b' },
    spec: { policyName: 'p', ...binding },
  } as never);
  return policies.step;
}

const label = (key: string, value: string) => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: {
    expression: `Object{metadata: Object.metadata{labels: {"${key}": ${value}}}}`,
  },
});
const labelsOf = async (policy: Awaited<ReturnType<typeof step>>) =>
  (await admit(policy, 'pods', pod({}, { labels: {} }))).object.metadata.labels;

describe('mutating policies', () => {
  it('see with each mutation what those before it made, and decide for each parameter', async () => {
    const spec = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      variables: [{ name: 'count', expression: 'string(size(object.metadata.labels))' }],
      // Which holds until the first parameter has had its turn.
      matchConditions: [{ name: 'first', expression: 'size(object.metadata.labels) < 2' }],
      mutations: [label('a', 'variables.count'), label('b', 'variables.count'), label('last', 'params.metadata.name')],
    };
    const all = { paramRef: { selector: {}, parameterNotFoundAction: 'Deny' } };
    expect(await labelsOf(await step(spec, all))).toEqual({ a: '0', b: '1', last: 'one' });
  });

  it('that fail leave the object to the others, and say all that is wrong', async () => {
    const mutations = [label('a', 'object.none'), label('b', '"yes"'), label('c', 'object.nothing')];
    expect(await labelsOf(await step({ mutations, failurePolicy: 'Ignore' }))).toEqual({ b: 'yes' });
    const why = (at: number, key: string) =>
      `policy 'p' with binding 'b' denied request: expression '${mutations[at]!.applyConfiguration.expression}' resulted in error: no such key: ${key}`;
    const error = await labelsOf(await step({ mutations })).catch((caught) => caught);
    expect(error.status).toMatchObject({
      code: 403,
      reason: 'Invalid',
      message: why(0, 'none'),
      details: { name: 'web', kind: 'pods', causes: [{ message: why(0, 'none') }, { message: why(2, 'nothing') }] },
    });
    const unknown = { mutations, paramKind: { apiVersion: 'v1', kind: 'None' } };
    await expect(labelsOf(await step(unknown))).rejects.toThrow(
      `policy "p" denied request: failed to configure policy: failed to find resource referenced by paramKind: '/v1, Kind=None'`,
    );
  });

  it('change connections, let a failed test of a patch be, and refuse to replace whole lists', async () => {
    const patch = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });
    const connecting = await step({
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods/exec'], operations: ['CONNECT'] }],
      },
      mutations: [
        patch('[JSONPatch{op: "test", path: "/container", value: "x"}, JSONPatch{op: "remove", path: "/container"}]'),
        patch('[JSONPatch{op: "replace", path: "/container", value: object.container + "-safe"}]'),
      ],
    });
    const connect = { operation: 'CONNECT', subresource: 'exec', namespace: 'shop', name: 'web' } as const;
    const options = { kind: 'PodExecOptions', apiVersion: 'v1', container: 'main' };
    expect((await admit(connecting, 'pods', options, connect)).object).toEqual({ ...options, container: 'main-safe' });

    const replaces = 'Object{spec: Object.spec{containers: [Object.spec.containers{name: "c", args: ["x"]}]}}';
    const atomic = { patchType: 'ApplyConfiguration', applyConfiguration: { expression: replaces } };
    await expect(labelsOf(await step({ mutations: [atomic] }))).rejects.toThrow(
      "policy 'p' with binding 'b' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args",
    );
  });

  it('have another turn where they want one and something changed after theirs', async () => {
    const count = {
      patchType: 'ApplyConfiguration',
      applyConfiguration: {
        expression:
          'Object{metadata: Object.metadata{labels: {"turns": object.metadata.labels[?"turns"].orValue("") + "x"}}}',
      },
    };
    for (const [reinvocationPolicy, turns] of [
      ['IfNeeded', 'xx'],
      ['Never', 'x'],
    ]) {
      const policy = await step({ mutations: [count], reinvocationPolicy });
      const twice = {
        ...policy,
        async mutate(...[attributes, object]: Parameters<NonNullable<typeof policy.mutate>>) {
          await policy.mutate?.(attributes, object);
          expect(policy.reinvoke?.(attributes)).toBe(true);
          // Another step changes something in between.
          Object.assign(object.metadata, { annotations: { other: 'step' } });
          await policy.mutate?.(attributes, object);
          expect(policy.reinvoke?.(attributes)).toBe(false);
        },
      };
      expect((await admit(twice, 'pods', pod({}, { labels: {} }))).object.metadata.labels).toEqual({ turns });
    }
  });
});
