import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import type { Kubectl } from '../../support/kubectl.ts';
import { type Loose, WebhookServer } from './webhook-server.ts';

const rules = ['exec', 'attach', 'portforward', 'proxy'].map((subresource) => ({
  apiGroups: [''],
  apiVersions: ['v1'],
  resources: [`pods/${subresource}`],
  operations: ['CONNECT'],
}));

const configuration = (kind: 'Mutating' | 'Validating', webhook: object) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: `${kind}WebhookConfiguration`,
  metadata: { name: kind.toLowerCase() },
  webhooks: [
    {
      name: `${kind.toLowerCase()}.example.com`,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      rules,
      ...webhook,
    },
  ],
});

describe('admission of connections, with kubectl', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;
  let server: WebhookServer;

  const ask = (path: string) => ({ clientConfig: { url: server.url(path), caBundle: server.ca } });
  const seen = (path: string): Loose[] => server.seen.filter((review) => review.path === path).map((r) => r.request);

  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
    kubectl = await embedded.kubectl();
    server = await WebhookServer.start({
      '/validate': ({ object }) =>
        object.command?.includes('evil') ? { allowed: false, status: { message: 'no evil' } } : { allowed: true },
      '/mutate': ({ subResource }) => ({
        allowed: true,
        ...(subResource === 'exec'
          ? {
              patchType: 'JSONPatch',
              patch: Buffer.from(JSON.stringify([{ op: 'add', path: '/command/-', value: 'added' }])).toString(
                'base64',
              ),
            }
          : {}),
      }),
    });
    await kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web' },
        spec: { containers: [{ name: 'main', image: 'web' }] },
      },
      configuration('Validating', ask('/validate')),
      configuration('Mutating', ask('/mutate')),
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: 'quiet' },
        spec: {
          matchConstraints: { resourceRules: rules },
          validations: [
            {
              expression:
                '!has(object.tty) && oldObject == null && request.operation == "CONNECT" && request.name == "web" && request.options == null',
              message: 'no terminal',
            },
            {
              expression: 'request.subResource != "portforward"',
              messageExpression: '"no " + object.kind',
            },
            {
              expression: 'object.?path.orValue("") != "/secret"',
              messageExpression: 'object.kind + " " + object.path + " of " + namespaceObject.metadata.name',
              reason: 'Forbidden',
            },
          ],
        },
      },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: 'quiet' },
        spec: { policyName: 'quiet', validationActions: ['Deny'] },
      },
    ]);
    await kubectl('wait --for condition=Ready pod/web --timeout=30s');
  });
  afterAll(async () => {
    server?.stop();
    await embedded?.stop();
  });

  it('shows webhooks what is to be run, once each, and lets them change it', async () => {
    const { stdout } = await kubectl.run('exec web -- echo hello');
    expect(stdout).toContain('hello');
    const [first, ...more] = seen('/validate');
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'PodExecOptions' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      subResource: 'exec',
      requestKind: { group: '', version: 'v1', kind: 'PodExecOptions' },
      name: 'web',
      namespace: 'default',
      operation: 'CONNECT',
      oldObject: null,
      dryRun: false,
      options: null,
    });
    expect(first.object).toEqual({
      kind: 'PodExecOptions',
      apiVersion: 'v1',
      stdout: true,
      stderr: true,
      container: 'main',
      command: ['echo', 'hello', 'added'],
    });
    expect(seen('/mutate').map(({ object }) => object.command)).toEqual([['echo', 'hello']]);
    expect(stdout).toContain('added');
  });

  it('refuses what webhooks and policies refuse', async () => {
    const refusal = async (command: string) => {
      const { code, stderr } = await kubectl.run(command);
      expect(code, command).not.toBe(0);
      return stderr;
    };
    expect(await refusal('exec web -- evil')).toContain(
      'admission webhook "validating.example.com" denied the request: no evil',
    );
    const denied = "ValidatingAdmissionPolicy 'quiet' with binding 'quiet' denied request: ";
    const raw = '/api/v1/namespaces/default/pods/web';
    expect(await refusal(`create --raw ${raw}/attach?tty=true -f /dev/null`)).toContain(`${denied}no terminal`);
    expect(await refusal(`get --raw ${raw}/proxy/secret`)).toContain(`${denied}PodProxyOptions /secret of default`);
    expect(await refusal('port-forward pod/web 0:80')).toContain(`${denied}no PodPortForwardOptions`);
  });
});
