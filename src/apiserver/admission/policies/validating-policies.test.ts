import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../../../api/builtin.ts';
import { createKindRegistry } from '../../../api/registry.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import type { Authorizer } from '../../../sdk/authorization.ts';
import { admit, pod } from '../testing/admit.ts';
import { validatingPolicies } from './validating-policies.ts';

type Options = Parameters<typeof validatingPolicies>[0];

const authorizer: Authorizer = {
  name: 'test',
  authorize: ({ user, verb, resource }) => ({
    decision: user.name === 'jane' && verb === 'approve' && resource === 'pods' ? 'allow' : 'noOpinion',
  }),
};
const limits = [
  { metadata: { name: 'a', labels: { role: 'limit' } }, data: { name: 'web' } },
  { metadata: { name: 'b', labels: { role: 'limit' } }, data: { name: 'api' } },
];

async function step(spec: object, binding: object = {}) {
  const policies = await validatingPolicies({
    kinds: createKindRegistry(builtinKinds()),
    reader: { get: () => ({ metadata: { name: 'shop' } }) },
    authorizer,
    logger: silentLogger,
    transport: {
      async request({ query }: { query?: { labelSelector?: string } }) {
        return { body: { items: query?.labelSelector === 'role=limit' ? limits : [] } };
      },
    },
  } as unknown as Options);
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
  policies.upsert('validatingadmissionpolicies.admissionregistration.k8s.io', {
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: rules }, ...spec },
  } as never);
  policies.upsert('validatingadmissionpolicybindings.admissionregistration.k8s.io', {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], ...binding },
  } as never);
  return policies.step;
}

const denied = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";

describe('validating policies', () => {
  it('ask who may do what', async () => {
    const asks = (verb: string) => ({
      validations: [
        { expression: `authorizer.group('').resource('pods').check('${verb}').allowed()`, message: `no ${verb}` },
      ],
    });
    await admit(await step(asks('approve')), 'pods', pod());
    await expect(admit(await step(asks('bless')), 'pods', pod())).rejects.toThrow(`${denied}no bless`);
  });

  it('are evaluated for each of the parameters that a selector finds', async () => {
    const spec = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      validations: [
        { expression: 'object.metadata.name != params.data.name', messageExpression: '"not " + params.data.name' },
      ],
    };
    const selected = { paramRef: { selector: { matchLabels: { role: 'limit' } }, parameterNotFoundAction: 'Deny' } };
    const policy = await step(spec, selected);
    await expect(admit(policy, 'pods', pod())).rejects.toThrow(`${denied}not web`);
    await expect(admit(policy, 'pods', pod({}, { name: 'api' }))).rejects.toThrow(`${denied}not api`);
    await admit(policy, 'pods', pod({}, { name: 'other' }));
    const none = { paramRef: { selector: { matchLabels: { role: 'x' } }, parameterNotFoundAction: 'Deny' } };
    await expect(admit(await step(spec, none), 'pods', pod())).rejects.toThrow('no params found for policy binding');
  });

  it('annotate the audit log with values and with all that failed', async () => {
    const policy = await step(
      {
        validations: [{ expression: 'false', message: 'one' }, { expression: 'true' }, { expression: '1 > 2' }],
        auditAnnotations: [
          { key: 'name', valueExpression: '"pod " + object.metadata.name' },
          { key: 'nothing', valueExpression: 'null' },
        ],
      },
      { validationActions: ['Audit'] },
    );
    const { audit } = await admit(policy, 'pods', pod());
    expect([...audit.keys()].sort()).toEqual(['p/name', 'validation.policy.admission.k8s.io/validation_failure']);
    expect(audit.get('p/name')).toBe('pod web');
    const failure = (message: string, expressionIndex: number) => ({
      message,
      policy: 'p',
      binding: 'b',
      expressionIndex,
      validationActions: ['Audit'],
    });
    expect(JSON.parse(audit.get('validation.policy.admission.k8s.io/validation_failure')!)).toEqual([
      failure('one', 0),
      failure('failed expression: 1 > 2', 2),
    ]);
  });

  it('audit each value of an annotation once, and refuse what cannot be evaluated', async () => {
    const spec = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      auditAnnotations: [{ key: 'limit', valueExpression: 'params.data.name' }],
    };
    const selected = { paramRef: { selector: { matchLabels: { role: 'limit' } }, parameterNotFoundAction: 'Deny' } };
    const { audit } = await admit(await step(spec, selected), 'pods', pod());
    expect(audit.get('p/limit')).toBe('web, api');
    const broken = { ...spec, auditAnnotations: [{ key: 'limit', valueExpression: 'params.data.none' }] };
    await expect(
      admit(await step(broken, { ...selected, validationActions: ['Warn'] }), 'pods', pod()),
    ).rejects.toThrow(`${denied}expression 'params.data.none' resulted in error: no such key: none`);
    await admit(await step({ ...broken, failurePolicy: 'Ignore' }, selected), 'pods', pod());
  });

  it('treat errors as bindings want failures to be treated, but not faults of configuration', async () => {
    const spec = { validations: [{ expression: 'object.spec.none == 1' }] };
    const { warnings } = await admit(await step(spec, { validationActions: ['Warn'] }), 'pods', pod());
    expect(warnings).toEqual([
      "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': expression 'object.spec.none == 1' resulted in error: no such key: none",
    ]);
    const conditions = { ...spec, matchConditions: [{ name: 'c', expression: 'object.none' }] };
    await expect(admit(await step(conditions), 'pods', pod())).rejects.toThrow(
      `${denied}expression 'object.none' resulted in error: no such key: none`,
    );
    const parameters = (kind: string) => ({ ...spec, paramKind: { apiVersion: 'v1', kind } });
    const named = { validationActions: ['Warn'], paramRef: { name: 'x', namespace: 'y' } };
    await expect(admit(await step(parameters('Node'), named), 'pods', pod())).rejects.toThrow(
      `${denied}failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped \`paramKind\``,
    );
    await expect(admit(await step(parameters('None'), named), 'pods', pod())).rejects.toThrow(
      "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: '/v1, Kind=None'",
    );
    const without = {
      ...parameters('ConfigMap'),
      validations: [{ expression: 'params != null', message: 'no params' }],
    };
    await expect(admit(await step(without), 'pods', pod())).rejects.toThrow(`${denied}no params`);
  });

  it('go on with an expression after the authorizer was asked', async () => {
    const all = 'object.spec.containers.all(c, c.name != "" && c.image != "" && size(c.name) < 10)';
    const asks = `authorizer.requestResource.check('bless').allowed() || ${all}`;
    await admit(await step({ validations: [{ expression: asks }] }), 'pods', pod());
  });

  it('share one budget among their expressions', async () => {
    const names = Array.from({ length: 200 }, (_, index) => ({ name: `c${index}`, image: 'i' }));
    const slow = {
      expression:
        'object.spec.containers.all(a, object.spec.containers.all(b, object.spec.containers.all(c, a.name + b.name + c.name != "")))',
    };
    const exhausted = 'validation failed due to running out of cost budget, no further validation rules will be run';
    const shop = pod({ containers: names });
    // Each has a tenth of what they have together, and two fifths of what all conditions have.
    const validations = Array.from({ length: 11 }, () => slow);
    await expect(admit(await step({ validations: [slow] }), 'pods', shop)).rejects.toThrow(
      `${denied}expression '${slow.expression}' resulted in error: operation cancelled: actual cost limit exceeded`,
    );
    await expect(admit(await step({ validations }), 'pods', shop)).rejects.toThrow(denied + exhausted);
    const matchConditions = ['a', 'b', 'c'].map((name) => ({ name, ...slow }));
    const conditional = { matchConditions, validations: [{ expression: 'true' }] };
    await expect(admit(await step(conditional), 'pods', shop)).rejects.toThrow(denied + exhausted);
    await admit(await step({ ...conditional, failurePolicy: 'Ignore' }), 'pods', pod());
  });
});
