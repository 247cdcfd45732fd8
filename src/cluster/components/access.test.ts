import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { builtinKinds } from '../../api/builtin.ts';
import { createKindRegistry } from '../../api/registry.ts';
import type { TokenReview } from '../../api/types/authentication.v1.gen.ts';
import type { SubjectAccessReview } from '../../api/types/authorization.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import { bodyOf, startHttpsServer } from '../../apiserver/authentication/testing/https-server.ts';
import { TokenKeys } from '../../apiserver/authentication/token-keys.ts';
import { createSecurity } from '../../apiserver/security.ts';
import { startTestApiServer, TEST_ADMIN } from '../../apiserver/testing.ts';
import { Cluster } from '../../index.ts';
import { configureAccess } from './access.ts';

let directory: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'access-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(directory, { recursive: true, force: true });
});

const file = (name: string, content: string | object): string => {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

const options = { runtime: 'simulated', datastore: 'memory', apiPort: 0, disable: ['ingress', 'dashboard'] } as const;

it('an API server asks the token webhook and the authorization webhook of its files', async () => {
  const server = await startHttpsServer(async (request, response) => {
    const review = await bodyOf<{ spec: { token?: string; user?: string } }>(request);
    const status =
      request.url === '/tokens'
        ? { authenticated: review.spec.token === 'good', user: { username: 'ann', groups: ['dev'] } }
        : request.url === '/others'
          ? { authenticated: true, user: { username: 'moved' } }
          : { allowed: review.spec.user === 'ann' };
    response.end(JSON.stringify({ ...review, status }));
  });
  ends.push(() => server.close());
  const kinds = createKindRegistry(builtinKinds());
  const tokenKeys = new TokenKeys({ signingKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey });
  const security = createSecurity({ logger: silentLogger, kinds, tokenKeys, clientCAs: () => [] });
  const config = {
    authenticationConfig: undefined,
    authenticationTokenWebhookConfigFile: file('tokens.kubeconfig', server.kubeconfig('/tokens', 'x')),
    authorizationConfig: file('authorization.yaml', {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'AuthorizationConfiguration',
      authorizers: [
        { type: 'Node', name: 'node' },
        { type: 'RBAC', name: 'rbac' },
        {
          type: 'Webhook',
          name: 'webhook',
          webhook: {
            timeout: '3s',
            subjectAccessReviewVersion: 'v1',
            failurePolicy: 'NoOpinion',
            connectionInfo: {
              type: 'KubeConfigFile',
              kubeConfigFile: file('webhook.kubeconfig', server.kubeconfig('/access', 'x')),
            },
          },
        },
      ],
    }),
  };
  ends.push((await configureAccess(config, security, silentLogger))!);
  const { server: api, stop } = await startTestApiServer(security.serverOptions);
  ends.push(stop);
  const transport = api.transport(TEST_ADMIN);
  const review = async (token: string) =>
    (
      await transport.request<TokenReview>({
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
      })
    ).body.status;
  expect(await review('good')).toMatchObject({
    authenticated: true,
    user: { username: 'ann', groups: ['dev', 'system:authenticated'] },
  });
  expect(await review('bad')).toMatchObject({ user: {}, error: 'invalid bearer token' });
  const mayList = async (user: string) =>
    (
      await transport.request<SubjectAccessReview>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: { user, resourceAttributes: { verb: 'list', resource: 'pods' } },
        },
      })
    ).body.status!.allowed;
  expect([await mayList('ann'), await mayList('bob')]).toEqual([true, false]);
  file('tokens.kubeconfig', server.kubeconfig('/others', 'x'));
  let asked = 0;
  await expect.poll(async () => (await review(`new-${asked++}`))?.user?.username, { timeout: 20_000 }).toBe('moved');
});

it('a file that is wrong fails the boot with file, field and cause', async () => {
  const authenticationConfig = file('authentication.yaml', {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      { issuer: { url: 'http://a.io', audiences: ['x'] }, claimMappings: { username: { claim: 's', prefix: '' } } },
    ],
  });
  await expect(Cluster.start({ ...options, authenticationConfig })).rejects.toThrow(
    `${authenticationConfig} can't be used: jwt[0].issuer.url: Invalid value: "http://a.io": URL scheme must be https`,
  );
});
