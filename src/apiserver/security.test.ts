import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { builtinKinds } from '../api/builtin.ts';
import { createKindRegistry } from '../api/registry.ts';
import type { TokenRequest } from '../api/types/authentication.v1.gen.ts';
import type { Pod } from '../api/types/core.v1.gen.ts';
import { silentLogger } from '../apimachinery/logger.ts';
import type { UserInfo } from '../sdk/user.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { TokenKeys } from './authentication/token-keys.ts';
import { ensureBootstrapPolicy } from './authorization/rbac/ensure-bootstrap-policy.ts';
import { createSecurity, type SecurityOptions } from './security.ts';
import { createApiServer } from './server.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function startServer(admission: SecurityOptions['admission'] = {}) {
  const kinds = createKindRegistry(builtinKinds());
  const security = createSecurity({
    logger: silentLogger,
    kinds,
    tokenKeys: new TokenKeys({ signingKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }),
    clientCAs: () => [],
    admission,
  });
  const store = openMemoryStore();
  const server = createApiServer({ store, kinds, logger: silentLogger, ...security.serverOptions });
  await server.start();
  stops.push(async () => {
    await server.stop();
    await store.close();
  });
  const as = (user: UserInfo) => server.transport(user);
  const root = as({ name: 'root', groups: ['system:masters'] });
  const post = <T>(path: string, body: unknown, user?: UserInfo) =>
    (user ? as(user) : root).request<T>({ method: 'POST', path, body });
  return { security, root, as, post };
}

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });
const namespaced = (kind: string, name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name },
  ...more,
});

describe('the security of an API server', () => {
  it('takes in the steps that are off by default, with their configuration', async () => {
    const limit = { group: '', resource: 'pods', matchContains: ['requests.cpu'], matchScopes: [] };
    const { root, post } = await startServer({
      enable: ['NamespaceAutoProvision', 'PodNodeSelector'],
      disable: ['ServiceAccount'],
      configuration: { limitedResources: [limit], nodeSelectors: { fallback: 'disk=ssd', ofNamespaces: {} } },
    });
    const create = (name: string, resources: object = {}) =>
      post<Pod>(
        '/api/v1/namespaces/new/pods',
        namespaced('Pod', name, { spec: { containers: [{ name: 'c', image: 'i', resources }] } }),
      );
    const { body } = await create('a');
    expect(body.spec.nodeSelector).toEqual({ disk: 'ssd' });
    await root.request({ method: 'GET', path: '/api/v1/namespaces/new' });
    await expect(create('b', { limits: { cpu: '1' } })).rejects.toThrow(
      'pods "b" is forbidden: insufficient quota to consume: requests.cpu',
    );
  });

  it('brings its policy, gives tokens, and lets users do what their roles allow', async () => {
    const { security, root, as, post } = await startServer();
    await post('/api/v1/namespaces', namespaced('Namespace', 'shop'));
    await post('/api/v1/namespaces/shop/serviceaccounts', namespaced('ServiceAccount', 'default'));

    const { body } = await post<TokenRequest>('/api/v1/namespaces/shop/serviceaccounts/default/token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    const identity = await security.authentication.authenticate({ headers: {}, bearerToken: body.status!.token! });
    expect(identity!.user).toMatchObject({
      name: 'system:serviceaccount:shop:default',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
    });

    const list = () => as(identity!.user).request({ method: 'GET', path: '/api/v1/namespaces/shop/pods' });
    await expect(list()).rejects.toThrow(
      'pods is forbidden: User "system:serviceaccount:shop:default" cannot list resource "pods" in API group "" in the namespace "shop"',
    );
    await post('/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'admins' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'shop' }],
    });
    await vi.waitFor(list);
    const binding = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'more' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'eve' }],
    };
    await expect(
      post('/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings', binding, identity!.user),
    ).rejects.toThrow(/is attempting to grant RBAC permissions not currently held/);

    const { body: pod } = await post<Pod>(
      '/api/v1/namespaces/shop/pods',
      namespaced('Pod', 'web', { spec: { containers: [{ name: 'c', image: 'i' }] } }),
      identity!.user,
    );
    expect(pod.spec).toMatchObject({
      serviceAccountName: 'default',
      priority: 0,
      tolerations: [{ key: 'node.kubernetes.io/not-ready' }, { key: 'node.kubernetes.io/unreachable' }],
    });
    expect(pod.spec.volumes![0]!.name).toMatch(/^kube-api-access-/);
    await root.request({ method: 'DELETE', path: '/api/v1/namespaces/shop/serviceaccounts/default' });
    await vi.waitFor(async () =>
      expect(
        await security.authentication.authenticate({ headers: {}, bearerToken: body.status!.token! }),
      ).toBeUndefined(),
    );
  });

  it('lets those impersonate who may, each part by its own permission', async () => {
    const { post, as } = await startServer();
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const grant = async (name: string, rules: object[]) => {
      const apiVersion = 'rbac.authorization.k8s.io/v1';
      await post(`${rbac}/clusterroles`, { apiVersion, kind: 'ClusterRole', metadata: { name }, rules });
      await post(`${rbac}/clusterrolebindings`, {
        apiVersion,
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'proxy' }],
      });
    };
    const whoami = async (headers: Record<string, string>) =>
      (
        await as(user('proxy')).request<{ status: { userInfo: object } }>({
          method: 'POST',
          path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
          headers,
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
        })
      ).body.status.userInfo;
    const verbs = ['impersonate'];
    await grant('users', [{ apiGroups: [''], resources: ['users'], verbs, resourceNames: ['jane'] }]);
    await vi.waitFor(async () =>
      expect(await whoami({ 'impersonate-user': 'jane' })).toEqual({
        username: 'jane',
        groups: ['system:authenticated'],
      }),
    );
    await expect(whoami({ 'impersonate-user': 'root' })).rejects.toThrow(
      'users "root" is forbidden: User "proxy" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    const all = {
      'impersonate-user': 'jane',
      'impersonate-group': 'dev',
      'impersonate-uid': '17',
      'impersonate-extra-acme.io%2fscope': 'view',
    };
    await expect(whoami(all)).rejects.toThrow(
      'uids.authentication.k8s.io "17" is forbidden: User "proxy" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope',
    );
    await grant('uids', [{ apiGroups: ['authentication.k8s.io'], resources: ['uids'], verbs, resourceNames: ['17'] }]);
    await vi.waitFor(() =>
      expect(whoami(all)).rejects.toThrow(
        'groups "dev" is forbidden: User "proxy" cannot impersonate resource "groups" in API group "" at the cluster scope',
      ),
    );
    await grant('more', [
      { apiGroups: [''], resources: ['groups'], verbs, resourceNames: ['dev'] },
      { apiGroups: ['authentication.k8s.io'], resources: ['userextras/acme.io/scope'], verbs, resourceNames: ['view'] },
    ]);
    await vi.waitFor(async () =>
      expect(await whoami(all)).toEqual({
        username: 'jane',
        uid: '17',
        groups: ['dev', 'system:authenticated'],
        extra: { 'acme.io/scope': ['view'] },
      }),
    );
    await expect(whoami({ ...all, 'impersonate-extra-acme.io%2fscope': 'edit' })).rejects.toThrow(
      /^userextras.authentication.k8s.io "edit" is forbidden: .* "userextras\/acme.io\/scope"/,
    );
    await expect(whoami({ 'impersonate-group': 'dev' })).rejects.toThrow('without impersonating a user name');
  });

  it('tells users what they may do in a namespace', async () => {
    const { as, post } = await startServer();
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await post(`${rbac}/roles`, {
      apiVersion,
      kind: 'Role',
      metadata: { name: 'viewer' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
    });
    await post(`${rbac}/rolebindings`, {
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name: 'viewers' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'viewer' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'dev' }],
    });
    const rules = async (namespace: string) => {
      const { body } = await as(user('ann', 'dev')).request<{
        status: { resourceRules: { verbs: string[]; resources: string[] }[]; nonResourceRules: object[] };
      }>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
        body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
      });
      const mayList = body.status.resourceRules.some(
        ({ verbs, resources }) => verbs.includes('list') && resources.includes('pods'),
      );
      return { ...body.status, mayList };
    };
    const own = await vi.waitFor(async () => {
      const found = await rules('default');
      expect(found.mayList).toBe(true);
      return found;
    });
    expect(own.resourceRules.some(({ resources }) => resources.includes('selfsubjectaccessreviews'))).toBe(true);
    expect(own.nonResourceRules.length).toBeGreaterThan(0);
    expect((await rules('other')).mayList).toBe(false);
  });

  it('brings its policy once', async () => {
    const { root } = await startServer();
    const revision = async () =>
      (
        await root.request<{ metadata: { resourceVersion: string } }>({
          method: 'GET',
          path: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
        })
      ).body.metadata.resourceVersion;
    const before = await revision();
    await ensureBootstrapPolicy(root);
    expect(await revision()).toBe(before);
  });

  it('marks plugin configurations of those who may configure, and nobody else', async () => {
    const { post, as } = await startServer();
    const configMap = (name: string) =>
      namespaced('ConfigMap', name, { data: { 'x-plugin-config': 'plugin: my-auth-plugin\noptions: {}\n' } });
    const path = '/api/v1/namespaces/default/configmaps';
    const accepted = await post<{ metadata: { annotations?: object } }>(path, configMap('a'));
    expect(accepted.body.metadata.annotations).toEqual({ 'plugins.k8ts.dev/configured-by': 'root' });
    await post('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'editors' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
    });
    const refused = await vi.waitFor(() =>
      post<{ metadata: { annotations?: object } }>(path, configMap('b'), user('bob')),
    );
    expect(refused.body.metadata.annotations).toBeUndefined();
    expect(refused.warnings).toEqual([
      expect.stringMatching(
        /^x-plugin-config is stored as plain data .*user "bob" may not "configure" "my-auth-plugin" of plugins.k8ts.dev$/,
      ),
    ]);
    const forged = { metadata: { annotations: { 'plugins.k8ts.dev/configured-by': 'root' } } };
    const patched = await as(user('bob')).request<{ metadata: { annotations?: object } }>({
      method: 'PATCH',
      path: `${path}/b`,
      body: forged,
      contentType: 'application/merge-patch+json',
    });
    expect(patched.body.metadata.annotations).toBeUndefined();
  });

  it('holds quotas, however many ask at once', async () => {
    const { post, root } = await startServer();
    await post('/api/v1/namespaces', namespaced('Namespace', 'shop'));
    const { body: quota } = await post<object>(
      '/api/v1/namespaces/shop/resourcequotas',
      namespaced('ResourceQuota', 'q', { spec: { hard: { configmaps: '3' } } }),
    );
    const status = { hard: { configmaps: '3' }, used: { configmaps: '0' } };
    await root.request({
      method: 'PUT',
      path: '/api/v1/namespaces/shop/resourcequotas/q/status',
      body: { ...quota, status },
    });
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        post('/api/v1/namespaces/shop/configmaps', namespaced('ConfigMap', `c${index}`)),
      ),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(3);
  });
});
