import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../../../api/builtin.ts';
import type { KindDefinition } from '../../../api/kind.ts';
import { createKindRegistry } from '../../../api/registry.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { customKinds } from '../../custom-resources/definition.ts';
import { PolicyTypeChecker } from './policy-type-checker.ts';

type Policy = Parameters<PolicyTypeChecker['check']>[0];

const kindWith = (field: string): KindDefinition =>
  customKinds(
    {
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { spec: { type: 'object', properties: { [field]: { type: 'integer' } } } },
              },
            },
          },
        ],
      },
      metadata: { name: 'lamps.example.com' },
    } as never,
    { plural: 'lamps', kind: 'Lamp' } as never,
    undefined,
    undefined,
  )[0] as unknown as KindDefinition;

function checker() {
  const kinds = createKindRegistry(builtinKinds());
  const written: { path: string; body: { status: object } }[] = [];
  const transport = {
    async request(request: (typeof written)[number]) {
      written.push(request);
    },
  };
  const made = new PolicyTypeChecker({ kinds, transport, logger: silentLogger } as unknown as ConstructorParameters<
    typeof PolicyTypeChecker
  >[0]);
  return { kinds, written, checker: made };
}

const policy = (rules: object, expressions: readonly string[], more: object = {}): Policy =>
  ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'p', generation: 2 },
    spec: {
      matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], ...rules }] },
      validations: expressions.map((expression) => ({ expression })),
      ...more,
    },
  }) as unknown as Policy;

describe('the type checking of policies', () => {
  it('says per kind what is wrong, in the form of upstream, and what was looked at', () => {
    const { checker: types, written } = checker();
    const rules = { apiGroups: ['', 'apps'], resources: ['pods', 'deployments', 'pods/status'] };
    types.check(
      policy(rules, ['object.spec.replicas < 5', 'variables.labels.size() > 0 && request.userInfo.name == ""'], {
        variables: [{ name: 'labels', expression: 'object.metadata.labels' }],
      }),
    );
    expect(written).toMatchObject([
      {
        method: 'PATCH',
        path: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/p/status',
        query: { fieldManager: 'validatingadmissionpolicy-status', force: true },
      },
    ]);
    const undefinedName =
      'ERROR: <input>:1:48: undefined field \'name\'\n | variables.labels.size() > 0 && request.userInfo.name == ""\n | ...............................................^\n';
    expect(written[0]!.body.status).toEqual({
      observedGeneration: 2,
      typeChecking: {
        expressionWarnings: [
          {
            fieldRef: 'spec.validations[0].expression',
            warning:
              "/v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'\n | object.spec.replicas < 5\n | ...........^\n",
          },
          {
            fieldRef: 'spec.validations[1].expression',
            warning: `/v1, Kind=Pod: ${undefinedName}\napps/v1, Kind=Deployment: ${undefinedName}`,
          },
        ],
      },
    });
    types.check({ ...policy(rules, ['true']), status: { observedGeneration: 2 } } as Policy);
    types.check(policy({ apiGroups: ['*'], resources: ['pods'] }, ['object.none']));
    expect(written.slice(1).map(({ body }) => body.status)).toEqual([{ observedGeneration: 2, typeChecking: {} }]);
  });

  it('is done again when a kind comes or changes', async () => {
    const { checker: types, written, kinds } = checker();
    const status = async () => {
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      return written.splice(0).map(({ body }) => body.status);
    };
    const given = policy({ apiGroups: ['example.com'], resources: ['lamps'] }, ['object.spec.watts < 5']);
    types.check(given);
    expect(await status()).toEqual([{ observedGeneration: 2, typeChecking: {} }]);
    const seen = (typeChecking: object) =>
      types.check({ ...given, status: { observedGeneration: 2, typeChecking } } as Policy);
    seen({});
    kinds.add(kindWith('power'));
    const [after] = await status();
    expect(after).toMatchObject({
      typeChecking: { expressionWarnings: [{ warning: expect.stringContaining("undefined field 'watts'") }] },
    });
    seen((after as { typeChecking: object }).typeChecking);
    kinds.add(kindWith('watts'));
    expect(await status()).toEqual([{ observedGeneration: 2, typeChecking: {} }]);
    seen({});
    kinds.remove('example.com', 'v1', 'lamps');
    expect(await status()).toEqual([]);
  });
});
