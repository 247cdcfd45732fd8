import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { AuthorizationAttributes, Authorizer } from '../../sdk/authorization.ts';
import { bodyOf, startHttpsServer } from '../authentication/testing/https-server.ts';
import { ReviewClient } from '../authentication/webhook/review-client.ts';
import { AuthorizationChain } from './chain.ts';
import { readAuthorizationConfiguration } from './configuration/authorization-configuration.ts';
import { addConfiguredAuthorizers } from './configured-authorizers.ts';
import { systemMasters } from './system-masters.ts';

let directory: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'access-'));
  writeFileSync(join(directory, 'webhook.kubeconfig'), '');
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(directory, { recursive: true, force: true });
});

const header = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthorizationConfiguration' };
const webhook = (name: string, more: object = {}) => ({
  type: 'Webhook',
  name,
  webhook: {
    timeout: '2s',
    subjectAccessReviewVersion: 'v1',
    matchConditionSubjectAccessReviewVersion: 'v1',
    failurePolicy: 'Deny',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: join(directory, 'webhook.kubeconfig') },
    ...more,
  },
});

interface Spec {
  readonly user: string;
  readonly resourceAttributes?: { readonly verb: string; readonly resource: string; readonly labelSelector?: object };
}

async function startChain(authorizers: readonly object[], answer: (spec: Spec) => object | number) {
  const asked: Spec[] = [];
  const server = await startHttpsServer(async (request, response) => {
    const review = await bodyOf<{ readonly spec: Spec }>(request);
    asked.push(review.spec);
    const status = answer(review.spec);
    if (typeof status === 'number') response.writeHead(status).end();
    else response.end(JSON.stringify({ ...review, status }));
  });
  ends.push(() => server.close());
  const file = join(directory, 'authorization.yaml');
  const write = (changed: readonly object[]) =>
    writeFileSync(file, JSON.stringify({ ...header, authorizers: changed }));
  write(authorizers);
  const error = vi.fn();
  const logger = { ...silentLogger, error };
  const rbac: Authorizer = {
    name: 'RBAC',
    authorize: ({ user }) => ({ decision: user.name === 'rbac' ? 'allow' : 'noOpinion', reason: 'RBAC: no' }),
  };
  const node: Authorizer = { name: 'Node', authorize: () => ({ decision: 'noOpinion' }) };
  const chain = new AuthorizationChain({ logger, authorizers: [systemMasters, node, rbac] });
  ends.push(
    await addConfiguredAuthorizers({
      chain,
      file,
      builtIn: { Node: node, RBAC: rbac },
      connect: async () => new ReviewClient({ server: `${server.url}/authorize`, ca: server.ca }),
      logger,
    }),
  );
  const ask = async (name: string, more: Partial<AuthorizationAttributes> = {}) =>
    await chain.authorize({ ...attributes, user: { name, groups: [] }, ...more });
  return { chain, ask, asked, write, error };
}

const attributes: AuthorizationAttributes = {
  user: { name: '', groups: [] },
  verb: 'list',
  resourceRequest: true,
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  subresource: '',
  namespace: 'shop',
  name: '',
  path: '',
};

describe('the authorizers of an AuthorizationConfiguration', () => {
  it('are asked in their order, a webhook where its conditions hold, and answers are kept', async () => {
    const { ask, asked, chain } = await startChain(
      [
        webhook('first', {
          matchConditions: [
            { expression: 'has(request.resourceAttributes)' },
            { expression: 'request.resourceAttributes.namespace == "shop" && !("skip" in request.groups)' },
          ],
        }),
        { type: 'RBAC', name: 'rbac' },
      ],
      ({ user }) =>
        user === 'ann' ? { allowed: true } : user === 'eve' ? { denied: true, reason: 'not you' } : { allowed: false },
    );
    expect(chain.authorizers.map(({ name }) => name)).toEqual(['SystemMasters', 'first', 'RBAC']);
    const selected = { labelSelector: 'app in (a,b),!old', fieldSelector: 'metadata.name!=x' };
    expect(await ask('ann', selected)).toEqual({ decision: 'allow' });
    expect(asked).toEqual([
      {
        user: 'ann',
        resourceAttributes: {
          namespace: 'shop',
          verb: 'list',
          group: 'apps',
          version: 'v1',
          resource: 'deployments',
          labelSelector: {
            requirements: [
              { key: 'app', operator: 'In', values: ['a', 'b'] },
              { key: 'old', operator: 'DoesNotExist' },
            ],
          },
          fieldSelector: { requirements: [{ key: 'metadata.name', operator: 'NotIn', values: ['x'] }] },
        },
      },
    ]);
    await ask('ann', selected);
    expect(asked).toHaveLength(1);
    expect(await ask('eve')).toEqual({ decision: 'deny', reason: 'not you' });
    expect((await ask('rbac')).decision).toBe('allow');
    expect(asked).toHaveLength(3);
    expect((await ask('ann', { namespace: 'other' })).decision).toBe('noOpinion');
    expect((await ask('ann', { user: { name: 'ann', groups: ['skip'] } })).decision).toBe('noOpinion');
    expect((await ask('ann', { resourceRequest: false, path: '/x' })).decision).toBe('noOpinion');
    expect((await ask('eve', { user: { name: 'eve', groups: ['system:masters'] } })).decision).toBe('allow');
    expect(asked).toHaveLength(3);
    expect([...chain.families()][0]!.samples).toEqual([
      { labels: { decision: 'allowed', name: 'first', type: 'Webhook' }, value: 2 },
      { labels: { decision: 'denied', name: 'first', type: 'Webhook' }, value: 1 },
      { labels: { decision: 'allowed', name: 'rbac', type: 'RBAC' }, value: 1 },
    ]);
  });

  it('fail as their policy says', async () => {
    const { ask, asked, write, chain } = await startChain([webhook('closed'), { type: 'RBAC', name: 'r' }], () => 403);
    expect(await ask('rbac')).toEqual({ decision: 'deny' });
    expect(asked).toHaveLength(1);
    write([webhook('open', { failurePolicy: 'NoOpinion' }), { type: 'RBAC', name: 'r' }]);
    await vi.waitFor(() => expect(chain.authorizers[1]!.name).toBe('open'), { timeout: 3000 });
    expect((await ask('rbac')).decision).toBe('allow');
    write([
      webhook('broken', { matchConditions: [{ expression: 'request.resourceAttributes.verb == "list"' }] }),
      { type: 'RBAC', name: 'r' },
    ]);
    await vi.waitFor(() => expect(chain.authorizers[1]!.name).toBe('broken'), { timeout: 3000 });
    expect(await ask('rbac', { resourceRequest: false, path: '/x' })).toEqual({ decision: 'deny' });
    expect(asked).toHaveLength(2);
  });

  it('follow their file beside those that plugins bring, and keep what they have when it gets wrong', async () => {
    const { chain, write, error } = await startChain([{ type: 'RBAC', name: 'r' }], () => 500);
    const remove = chain.register({ name: 'plugin', authorize: () => ({ decision: 'noOpinion' }) }, { before: 'RBAC' });
    const names = () => chain.authorizers.map(({ name }) => name).join();
    expect(names()).toBe('SystemMasters,plugin,RBAC');
    write([{ type: 'Nod', name: 'x' }]);
    await vi.waitFor(() => expect(error).toHaveBeenCalled(), { timeout: 3000 });
    expect(names()).toBe('SystemMasters,plugin,RBAC');
    write([
      { type: 'Node', name: 'n' },
      { type: 'RBAC', name: 'r' },
    ]);
    await vi.waitFor(() => expect(names()).toBe('SystemMasters,Node,plugin,RBAC'), { timeout: 3000 });
    remove();
    expect(names()).toBe('SystemMasters,Node,RBAC');
  });

  it('are refused in the words of Kubernetes', () => {
    const refusal = (...authorizers: object[]) => {
      try {
        readAuthorizationConfiguration({ ...header, authorizers });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refusal(webhook('a'), webhook('b'), { type: 'RBAC', name: 'r' })).toBe('');
    expect(refusal()).toBe('authorizers: Required value: at least one authorization mode must be defined');
    expect(refusal({ type: 'RBAC', name: 'a' }, { type: 'RBAC', name: 'b' })).toBe(
      'authorizers[1].type: Duplicate value: "RBAC"',
    );
    expect(refusal({ type: 'Webhook', name: 'a' })).toBe(
      'authorizers[0].webhook: Required value: required when type=Webhook',
    );
    expect(refusal(webhook('a', { timeout: '31s' }))).toBe(
      'authorizers[0].timeout: Invalid value: "31s": must be > 0s and <= 30s',
    );
    expect(refusal(webhook('a', { failurePolicy: 'Maybe' }))).toBe(
      'authorizers[0].failurePolicy: Unsupported value: "Maybe": supported values: "NoOpinion", "Deny"',
    );
    expect(refusal(webhook('a', { connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: 'x' } }))).toBe(
      'authorizers[0].connectionInfo.kubeConfigFile: Invalid value: "x": must be an absolute path',
    );
    expect(refusal(webhook('a', { matchConditions: [{ expression: 'request.usr == "x"' }] }))).toContain(
      'authorizers[0].matchConditions[0].expression: Invalid value: "request.usr == \\"x\\"": compilation failed: ERROR: <input>:1:8: undefined field \'usr\'',
    );
  });
});
