import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import type { Kubectl } from '../../support/kubectl.ts';
import { type Loose, WebhookServer } from './webhook-server.ts';

const GROUP = 'stable.example.com';

/** v1 has `spec.size`, v2 the same as `spec.replicas`. */
function convert({ desiredAPIVersion, objects }: Loose): Loose {
  const convertedObjects = objects.map((object: Loose) => {
    const { size, replicas, ...spec } = object.spec ?? {};
    const count = size ?? replicas;
    const field = desiredAPIVersion.endsWith('/v1') ? 'size' : 'replicas';
    return { ...object, apiVersion: desiredAPIVersion, spec: { ...spec, [field]: count } };
  });
  return { result: { status: 'Success' }, convertedObjects };
}

const patch = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

const version = (name: string, count: string) => ({
  name,
  served: true,
  storage: name === 'v2',
  schema: {
    openAPIV3Schema: {
      type: 'object',
      description: 'Widget is a thing of which there are several.',
      properties: {
        spec: {
          type: 'object',
          description: 'What is wanted.',
          properties: {
            [count]: { type: 'integer', default: 1, description: 'How many there shall be.' },
            most: { type: 'integer', description: 'How many there may be.' },
            mode: { type: 'string', enum: ['Fast', 'Slow'], default: 'Slow' },
            name: { type: 'string', maxLength: 20 },
          },
          'x-kubernetes-validations': [
            {
              rule: `!has(self.most) || self.${count} <= self.most`,
              messageExpression: `"%d are more than %d".format([self.${count}, self.most])`,
              fieldPath: `.${count}`,
            },
            { rule: '!has(oldSelf.name) || (has(self.name) && self.name == oldSelf.name)', message: 'name stays' },
          ],
        },
        status: { type: 'object', properties: { [count]: { type: 'integer' }, selector: { type: 'string' } } },
      },
    },
  },
  subresources: {
    status: {},
    scale: {
      specReplicasPath: `.spec.${count}`,
      statusReplicasPath: `.status.${count}`,
      labelSelectorPath: '.status.selector',
    },
  },
  additionalPrinterColumns: [
    { name: 'Count', type: 'integer', jsonPath: `.spec.${count}` },
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode', priority: 1 },
  ],
  selectableFields: [{ jsonPath: '.spec.mode' }],
});

const definition = (server: WebhookServer) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wdg'], categories: ['gadgets'] },
    versions: [version('v1', 'size'), version('v2', 'replicas')],
    conversion: {
      strategy: 'Webhook',
      webhook: {
        conversionReviewVersions: ['v1'],
        clientConfig: { url: server.url('/convert'), caBundle: server.ca },
      },
    },
  },
});

const widget = (name: string, spec: object, labels: object = {}, apiVersion = 'v2') => ({
  apiVersion: `${GROUP}/${apiVersion}`,
  kind: 'Widget',
  metadata: { name, labels },
  spec,
});

const webhookConfiguration = (kind: 'Mutating' | 'Validating', webhook: object) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: `${kind}WebhookConfiguration`,
  metadata: { name: `widgets-${kind.toLowerCase()}` },
  webhooks: [
    {
      name: `${kind.toLowerCase()}.example.com`,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      rules: [{ apiGroups: [GROUP], apiVersions: ['v2'], resources: ['widgets'], operations: ['CREATE', 'UPDATE'] }],
      ...webhook,
    },
  ],
});

const rules = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
};
const policy = (kind: 'Mutating' | 'Validating', name: string, spec: object) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: `${kind}AdmissionPolicy`,
  metadata: { name },
  spec: { matchConstraints: rules, ...spec },
});
const binding = (kind: 'Mutating' | 'Validating', name: string, spec: object = {}) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: `${kind}AdmissionPolicyBinding`,
  metadata: { name },
  spec: { policyName: name, ...spec },
});

describe('custom resources and admission, with kubectl', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;
  let server: WebhookServer;
  let calls = 0;

  const refused = async (object: object, ...flags: string[]) => {
    const { code, stderr } = await kubectl.run(['apply', '-f', '-', ...flags], { input: JSON.stringify(object) });
    expect(code, stderr).not.toBe(0);
    return stderr;
  };

  beforeAll(async () => {
    embedded = await startEmbedded();
    kubectl = await embedded.kubectl();
    server = await WebhookServer.start({
      '/convert': convert,
      '/mutate': ({ object }) => ({
        ...patch({ op: 'add', path: '/metadata/annotations', value: { mutated: String(++calls) } }),
        warnings: [`${object.metadata.name} was seen`],
      }),
      '/validate': ({ object }) =>
        object.spec.name === 'evil'
          ? { allowed: false, status: { code: 403, message: 'evil is not wanted' } }
          : { allowed: true },
      '/garbage': () => (response: Loose) => response.end('{"kind":'),
      '/huge': () => (response: Loose) => {
        const chunk = Buffer.alloc(1 << 20, 32);
        const more = () => !response.destroyed && response.write(chunk, () => setImmediate(more));
        more();
      },
      '/slow': () => () => undefined,
      '/redirect': () => (response: Loose) => response.writeHead(302, { location: server.url('/validate') }).end(),
    });
    await kubectl.apply(definition(server));
    await kubectl(`wait --for condition=Established crd/widgets.${GROUP} --timeout=5s`);
  });
  afterAll(async () => {
    server?.stop();
    await embedded?.stop();
  });

  it('are explained, applied, shown in columns and selected', async () => {
    await eventually(async () => expect(await kubectl('explain widgets.spec')).toContain('How many there may be.'));
    expect(await kubectl('explain widgets --recursive')).toMatch(/ {2}spec\t<Object>[\s\S]* {4}mode\t<string>/);
    expect(await kubectl('api-resources --categories gadgets')).toMatch(/^widgets +wdg +stable.example.com\/v2 +true/m);
    expect(await kubectl.apply(widget('one', { replicas: 3 }))).toBe(`widget.${GROUP}/one created\n`);
    expect(await kubectl.apply(widget('two', { size: 2, mode: 'Fast' }, {}, 'v1'))).toContain('created');
    expect(await kubectl('get wdg')).toMatch(/^NAME +COUNT\none +3\ntwo +2\n$/);
    expect(await kubectl('get wdg -o wide')).toMatch(/^NAME +COUNT +MODE\none +3 +Slow\ntwo +2 +Fast\n$/);
    expect(await kubectl('get gadgets -o name --field-selector spec.mode=Fast')).toBe(`widget.${GROUP}/two\n`);
    expect((await kubectl.get<Loose>(`widgets.v1.${GROUP} one`)).spec).toEqual({ mode: 'Slow', size: 3 });
    expect((await kubectl.get<Loose>(`widgets.v1.${GROUP}`)).items.map((item: Loose) => item.spec.size)).toEqual([
      3, 2,
    ]);
    expect(await kubectl(`get widgets.v1.${GROUP} -o name --field-selector spec.mode=Slow`)).toBe(
      `widget.${GROUP}/one\n`,
    );
  });

  it('are validated by schema and rules, and unknown fields are named', async () => {
    expect(await refused(widget('bad', { replicas: 5, most: 3 }))).toContain(
      'The Widget "bad" is invalid: spec.replicas: Invalid value: 5 are more than 3',
    );
    expect(await refused(widget('bad', { replicas: 'x' }))).toContain('spec.replicas: Invalid value: "string"');
    expect(await refused(widget('bad', { mode: 'Odd' }))).toContain(
      'spec.mode: Unsupported value: "Odd": supported values: "Fast", "Slow"',
    );
    expect(await refused(widget('bad', { sizes: 1 }))).toContain('unknown field "spec.sizes"');
    await kubectl.apply(widget('named', { name: 'a' }));
    expect(await refused(widget('named', { name: 'b' }))).toContain('name stays');
    await kubectl('delete widget named');
  });

  it('scale, and are applied by the server with managers that conflict', async () => {
    expect(await kubectl('scale widget one --replicas 4')).toBe(`widget.${GROUP}/one scaled\n`);
    expect((await kubectl.get<Loose>('widget one')).metadata.generation).toBe(2);
    const status = JSON.stringify({ status: { replicas: 4, selector: 'a=b' } });
    await kubectl(['patch', 'widget', 'one', '--subresource', 'status', '--type', 'merge', '-p', status]);
    expect((await kubectl.get<Loose>('widget one')).metadata.generation).toBe(2);
    expect(JSON.parse(await kubectl('get widget one --subresource scale -o json'))).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 4 },
      status: { replicas: 4, selector: 'a=b' },
    });
    const mine = widget('sides', { replicas: 2 });
    await kubectl.apply(mine, '--server-side', '--field-manager', 'a');
    const conflict = await refused(widget('sides', { replicas: 3 }), '--server-side', '--field-manager', 'b');
    expect(conflict).toContain('conflict with "a"');
    expect(conflict).toContain('.spec.replicas');
    await kubectl.apply(
      widget('sides', { size: 5 }, {}, 'v1'),
      '--server-side',
      '--field-manager',
      'b',
      '--force-conflicts',
    );
    expect((await kubectl.get<Loose>('widget sides')).spec.replicas).toBe(5);
  });

  it('go through webhooks: patches, refusals, warnings, an equivalent version, dry run', async () => {
    const match = {
      matchConditions: [{ name: 'hooked', expression: '"hooked" in object.metadata.?labels.orValue({})' }],
    };
    const at = (path: string) => ({ clientConfig: { url: server.url(path), caBundle: server.ca }, ...match });
    await kubectl.apply([
      webhookConfiguration('Mutating', at('/mutate')),
      webhookConfiguration('Validating', at('/validate')),
    ]);
    await kubectl.apply(widget('plain', {}));
    const { stderr } = await kubectl.run(['apply', '-f', '-'], {
      input: JSON.stringify(widget('hooked', { size: 7 }, { hooked: '1' }, 'v1')),
    });
    expect(stderr).toBe('Warning: hooked was seen\n');
    const made = await kubectl.get<Loose>('widget hooked');
    expect(made.metadata.annotations.mutated).toBe('1');
    const { request } = server.seen.find(({ path }) => path === '/mutate')!;
    expect(request).toMatchObject({
      kind: { group: GROUP, version: 'v2', kind: 'Widget' },
      requestKind: { group: GROUP, version: 'v1', kind: 'Widget' },
      resource: { version: 'v2', resource: 'widgets' },
      requestResource: { version: 'v1', resource: 'widgets' },
      operation: 'CREATE',
      name: 'hooked',
      namespace: 'default',
      userInfo: { username: 'kubernetes-admin' },
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-client-side-apply' },
      object: { apiVersion: `${GROUP}/v2`, spec: { replicas: 7 } },
      oldObject: null,
    });
    expect(await refused(widget('evil', { name: 'evil' }, { hooked: '1' }))).toContain(
      'admission webhook "validating.example.com" denied the request: evil is not wanted',
    );
    await kubectl.apply(widget('dry', {}, { hooked: '1' }), '--dry-run=server');
    expect(server.seen.at(-1)?.request.dryRun).toBe(true);
    expect((await kubectl.run('get widget dry')).stderr).toContain('NotFound');
  });

  it('survive webhooks that are hostile, slow or dead', async () => {
    const hook = (path: string, more: object = {}) =>
      webhookConfiguration('Validating', {
        clientConfig: { url: server.url(path), caBundle: server.ca },
        timeoutSeconds: 1,
        ...more,
      });
    for (const [path, message] of [
      ['/garbage', 'failed calling webhook "validating.example.com"'],
      ['/huge', 'failed calling webhook "validating.example.com"'],
      ['/slow', 'context deadline exceeded'],
      ['/redirect', 'failed calling webhook "validating.example.com"'],
    ] as const) {
      await kubectl.apply(hook(path));
      expect(await refused(widget('victim', {})), path).toContain(message);
    }
    await kubectl.apply(hook('/slow', { failurePolicy: 'Ignore' }));
    await kubectl.apply(widget('victim', {}));
    await kubectl.apply(hook('/slow', { clientConfig: { service: { name: 'gone', namespace: 'default' } } }));
    expect(await refused(widget('other', {}))).toContain('service "gone" not found');
    expect(await refused(hook('/validate', { matchConditions: [{ name: 'bad', expression: 'object.' }] }))).toMatch(
      /webhooks\[0\]\.matchConditions\[0\]\.expression: Invalid value: "object\.": compilation failed: ERROR:/,
    );
    // Nobody but its owner can keep a configuration from being removed.
    await kubectl('delete validatingwebhookconfiguration,mutatingwebhookconfiguration --all');
    await kubectl.apply(widget('other', {}));
  });

  it('policies validate and change, with parameters, variables and messages', async () => {
    await kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'limits', labels: { role: 'limits' } },
        data: { most: '2' },
      },
      policy('Validating', 'few-keys', {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        variables: [{ name: 'count', expression: 'has(object.data) ? size(object.data) : 0' }],
        matchConditions: [{ name: 'not-ours', expression: '!object.metadata.name.startsWith("kube-")' }],
        validations: [
          {
            expression: 'variables.count <= int(params.data.most)',
            messageExpression:
              '"%d keys, but %s allowed in %s".format([variables.count, params.data.most, namespaceObject.metadata.name])',
            reason: 'Forbidden',
          },
        ],
      }),
      binding('Validating', 'few-keys', {
        validationActions: ['Deny'],
        paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
      }),
      policy('Validating', 'frowns', {
        validations: [{ expression: 'object.metadata.name != "ugly"', message: 'ugly name' }],
      }),
      binding('Validating', 'frowns', { validationActions: ['Warn', 'Audit'] }),
      policy('Mutating', 'labels', {
        reinvocationPolicy: 'Never',
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: {
              expression: 'Object{metadata: Object.metadata{labels: Object.metadata.labels{applied: "yes"}}}',
            },
          },
          {
            patchType: 'JSONPatch',
            jsonPatch: {
              expression:
                '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/patched"), value: "yes"}]',
            },
          },
        ],
      }),
      binding('Mutating', 'labels'),
    ]);
    const map = (name: string, data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
    expect(await refused(map('many', { a: '', b: '', c: '' }))).toContain(
      "configmaps \"many\" is forbidden: ValidatingAdmissionPolicy 'few-keys' with binding 'few-keys' denied request: 3 keys, but 2 allowed in default",
    );
    const { code, stderr } = await kubectl.run('create configmap ugly --from-literal a=1');
    expect([code, stderr]).toEqual([
      0,
      "Warning: Validation failed for ValidatingAdmissionPolicy 'frowns' with binding 'frowns': ugly name\n",
    ]);
    expect((await kubectl.get<Loose>('configmap ugly')).metadata.labels).toEqual({
      applied: 'yes',
      'example.com/patched': 'yes',
    });
    await kubectl('delete configmap limits');
    expect(await refused(map('late', {}))).toContain(
      'no params found for policy binding with `Deny` parameterNotFoundAction',
    );
    expect(
      await refused(policy('Validating', 'broken', { validations: [{ expression: 'variables.nothing == 1' }] })),
    ).toMatch(
      /spec\.validations\[0\]\.expression: Invalid value: "variables\.nothing == 1": compilation failed: ERROR: .*undefined field 'nothing'/,
    );
    await kubectl.apply(policy('Validating', 'typo', { validations: [{ expression: 'object.dota.size() < 3' }] }));
    await eventually(async () => {
      const { status } = await kubectl.get<Loose>('validatingadmissionpolicy typo');
      expect(status.typeChecking.expressionWarnings[0]).toMatchObject({
        fieldRef: 'spec.validations[0].expression',
        warning: expect.stringContaining("undefined field 'dota'"),
      });
    });
    await kubectl('delete validatingadmissionpolicy,mutatingadmissionpolicy --all');
  });

  it('refuse bombs in definitions', async () => {
    const bomb = (schema: object) => {
      const crd: Loose = structuredClone(definition(server));
      crd.metadata.name = `bombs.${GROUP}`;
      crd.spec.names = { plural: 'bombs', kind: 'Bomb' };
      crd.spec.conversion = { strategy: 'None' };
      crd.spec.versions = [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: schema } } },
        },
      ];
      return crd;
    };
    const create = async (object: object) => {
      const { stderr } = await kubectl.run('create -f -', { input: JSON.stringify(object) });
      return stderr;
    };
    const strings = { type: 'array', items: { type: 'string' } };
    const loops = [{ rule: 'self.all(a, self.all(b, self.all(c, a + b != c)))' }];
    expect(await create(bomb({ ...strings, 'x-kubernetes-validations': loops }))).toMatch(
      /x-kubernetes-validations\[0\]\.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x/,
    );
    expect(await create(bomb({ type: 'object', $ref: '#/properties/spec' }))).toContain('$ref is not supported');
    expect(await create(bomb({ type: 'string', pattern: '^(a+)+\\1$' }))).toContain(
      'must be a valid regular expression',
    );
    expect(await create(bomb({ type: 'integer', default: 'one' }))).toMatch(
      /properties\[spec\]\.default: Invalid value/,
    );
    expect(
      await create(bomb({ type: 'object', properties: { a: { type: 'string' } }, default: { b: 'c' } })),
    ).toContain('must not have unknown fields');
    expect(await create(bomb({ type: 'string', pattern: '^(([a-z]{1,20})+)+$' }))).toBe('');
    const started = performance.now();
    const stuck = { apiVersion: `${GROUP}/v1`, kind: 'Bomb', metadata: { name: 'x' }, spec: `${'a'.repeat(60)}!` };
    await eventually(async () => expect(await create(stuck)).toContain('should match'));
    expect(performance.now() - started).toBeLessThan(5000);
    await kubectl(`delete crd bombs.${GROUP}`);
  });

  it('go with their definition', async () => {
    expect(await kubectl('get widgets -o name')).not.toBe('');
    // Although nobody converts them any more.
    server.stop();
    await kubectl(`delete crd widgets.${GROUP} --timeout=10s`);
    expect((await kubectl.run(`get --raw /apis/${GROUP}/v2`)).stderr).toContain(
      'could not find the requested resource',
    );
    expect(await kubectl('api-versions')).not.toContain(GROUP);
  });
});
