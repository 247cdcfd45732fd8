import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../../../api/builtin.ts';
import { createKindRegistry } from '../../../api/registry.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { alwaysAllow } from '../../authorization/system-masters.ts';
import { admit, pod } from '../testing/admit.ts';
import { configuredWebhooks } from './configured-webhooks.ts';

interface Posted {
  readonly config: { readonly url: string };
  readonly body: { readonly request: { uid: string; object?: { metadata: { labels?: Record<string, string> } } } };
}
type Options = Parameters<typeof configuredWebhooks>[0];

const namespaces = { get: () => ({ metadata: { name: 'shop' } }) };

/** A step whose webhooks are functions of the request, by the host of their URL. */
async function step(
  sort: 'mutating' | 'validating',
  configurations: Readonly<Record<string, readonly object[]>>,
  answers: Readonly<Record<string, (request: Posted['body']['request']) => object>>,
) {
  const called: string[] = [];
  const client = {
    async post({ config, body }: Posted) {
      const host = new URL(config.url).host;
      called.push(host);
      return {
        kind: 'AdmissionReview',
        apiVersion: 'admission.k8s.io/v1',
        response: { uid: body.request.uid, allowed: true, ...answers[host]?.(body.request) },
      };
    },
  };
  const configured = await configuredWebhooks(
    {
      kinds: createKindRegistry(builtinKinds()),
      reader: namespaces,
      authorizer: alwaysAllow,
      logger: silentLogger,
      webhooks: async () => client,
    } as unknown as Options,
    sort,
  );
  for (const [name, webhooks] of Object.entries(configurations))
    configured.upsert(`${sort}webhookconfigurations.admissionregistration.k8s.io`, {
      metadata: { name },
      webhooks,
    } as never);
  return { step: configured.step, called };
}

const hook = (name: string, more: object = {}) => ({
  name: `${name}.example.com`,
  clientConfig: { url: `https://${name}` },
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods', 'pods/exec'], operations: ['*'] }],
  ...more,
});
const label = (key: string) => () => ({
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify([{ op: 'add', path: `/metadata/labels/${key}`, value: 'x' }])).toString('base64'),
});
const labelled = () => pod({}, { labels: {} });

describe('admission webhooks', () => {
  it('are called in order of their configurations, each with what those before it changed', async () => {
    let seen: unknown;
    const { step: mutating, called } = await step(
      'mutating',
      { z: [hook('last')], a: [hook('first'), hook('second')] },
      {
        first: label('first'),
        last: ({ object }) => {
          seen = object?.metadata.labels;
          return {};
        },
      },
    );
    const { audit } = await admit(mutating, 'pods', labelled());
    expect(called).toEqual(['first', 'second', 'last']);
    expect(seen).toEqual({ first: 'x' });
    expect(JSON.parse(audit.get('mutation.webhook.admission.k8s.io/round_0_index_0')!)).toEqual({
      configuration: 'a',
      webhook: 'first.example.com',
      mutated: true,
    });
  });

  it('are called again where they want to, when one after them changed the object', async () => {
    const { step: mutating, called } = await step(
      'mutating',
      { a: [hook('eager', { reinvocationPolicy: 'IfNeeded' }), hook('once'), hook('changes')] },
      { changes: label('late') },
    );
    const reinvoking = {
      ...mutating,
      async mutate(...[attributes, object]: Parameters<NonNullable<typeof mutating.mutate>>) {
        await mutating.mutate?.(attributes, object);
        expect(mutating.reinvoke?.(attributes)).toBe(true);
        await mutating.mutate?.(attributes, object);
        expect(mutating.reinvoke?.(attributes)).toBe(false);
      },
    };
    await admit(reinvoking, 'pods', labelled());
    expect(called).toEqual(['eager', 'once', 'changes', 'eager']);
  });

  it('are told of connections, and may refuse them', async () => {
    const answers = { gate: () => ({ allowed: false, status: { message: 'no shell' } }) };
    for (const sort of ['mutating', 'validating'] as const) {
      const { step: gate } = await step(sort, { a: [hook('gate')] }, answers);
      const connect = { operation: 'CONNECT', subresource: 'exec', namespace: 'shop', name: 'web' } as const;
      const options = { kind: 'PodExecOptions', apiVersion: 'v1', command: ['sh'] };
      await expect(admit(gate, 'pods', options, connect)).rejects.toThrow(
        'admission webhook "gate.example.com" denied the request: no shell',
      );
    }
  });

  it('that fail and let pass are in the audit log', async () => {
    const down = () => {
      throw new Error('connection refused');
    };
    const webhooks = { a: [hook('well'), hook('down', { failurePolicy: 'Ignore' })] };
    const validating = await step('validating', webhooks, { down });
    expect([...(await admit(validating.step, 'pods', labelled())).audit]).toEqual([
      ['failed-open.validating.webhook.admission.k8s.io/round_0_index_1', 'down.example.com'],
    ]);
    const mutating = await step('mutating', webhooks, { down });
    expect(
      (await admit(mutating.step, 'pods', labelled())).audit.get(
        'failed-open.mutation.webhook.admission.k8s.io/round_0_index_1',
      ),
    ).toBe('down.example.com');
    const strict = await step('validating', { a: [hook('down')] }, { down });
    await expect(admit(strict.step, 'pods', labelled())).rejects.toThrow(
      'failed calling webhook "down.example.com": failed to call webhook: connection refused',
    );
  });

  it.each([
    [
      'mutating',
      { patch: 'W10=' },
      'received invalid webhook response: webhook returned response.patch but not response.patchType',
    ],
    [
      'mutating',
      { patchType: 'JSONPatch' },
      'received invalid webhook response: webhook returned response.patchType but not response.patch',
    ],
    ['mutating', { patchType: 'Merge', patch: 'W10=' }, 'unsupported patch type "Merge"'],
    [
      'mutating',
      { patchType: 'JSONPatch', patch: 'e30=' },
      'received undecodable patch in webhook response: json: cannot unmarshal object',
    ],
    ['mutating', { uid: 'x' }, 'received invalid webhook response: expected response.uid='],
    [
      'validating',
      { patch: 'W10=' },
      'received invalid webhook response: validating webhook may not return response.patch',
    ],
  ] as const)('that are %s and answer %o fail', async (sort, answer, why) => {
    const { step: broken } = await step(sort, { a: [hook('broken')] }, { broken: () => answer });
    await expect(admit(broken, 'pods', labelled())).rejects.toThrow(
      `failed calling webhook "broken.example.com": ${why}`,
    );
  });
});
