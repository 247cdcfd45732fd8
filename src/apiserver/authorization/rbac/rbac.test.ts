import { describe, expect, it } from 'vitest';
import type { PolicyRule } from '../../../api/types/rbac.v1.gen.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { notFound, StatusError } from '../../../apimachinery/status-error.ts';
import type { Transport } from '../../../apimachinery/transport.ts';
import type { AuthorizationAttributes } from '../../../sdk/authorization.ts';
import { accessDenied } from '../access-denied.ts';
import { AuthorizationChain } from '../chain.ts';
import { systemMasters } from '../system-masters.ts';
import { defaultClusterRoleBindings, defaultClusterRoles } from './bootstrap-policy.ts';
import { ensureBootstrapPolicy } from './ensure-bootstrap-policy.ts';
import { checkBindingEscalation, checkRoleEscalation } from './escalation.ts';
import { RbacAuthorizer } from './rbac-authorizer.ts';
import type { RbacObject } from './rbac-index.ts';

const version = { apiVersion: 'rbac.authorization.k8s.io/v1' };
const role = (name: string, rules: PolicyRule[], namespace?: string, metadata: object = {}) =>
  ({
    ...version,
    kind: namespace ? 'Role' : 'ClusterRole',
    metadata: { name, ...(namespace ? { namespace } : {}), ...metadata },
    rules,
  }) as RbacObject;
const binding = (name: string, roleName: string, subjects: object[], namespace?: string, roleKind = 'ClusterRole') =>
  ({
    ...version,
    kind: namespace ? 'RoleBinding' : 'ClusterRoleBinding',
    metadata: { name, ...(namespace ? { namespace } : {}) },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: roleKind, name: roleName },
    subjects,
  }) as RbacObject;
const user = (name: string, ...groups: string[]) => ({ name, groups });
const ask = (change: Partial<AuthorizationAttributes>): AuthorizationAttributes => ({
  user: user('bob'),
  verb: 'get',
  resourceRequest: true,
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: '',
  path: '',
  ...change,
});
const pods: PolicyRule = { apiGroups: [''], resources: ['pods', '*/scale'], verbs: ['get', 'list'] };

describe('RBAC', () => {
  it('allows what a binding grants, where it grants it, and says which', () => {
    const rbac = new RbacAuthorizer();
    rbac.index.upsert(role('reader', [pods]));
    rbac.index.upsert(binding('bobs', 'reader', [{ kind: 'User', name: 'bob' }], 'shop'));
    rbac.index.upsert(
      binding('robots', 'reader', [
        { kind: 'ServiceAccount', name: 'robot', namespace: 'ci' },
        { kind: 'Group', name: 'devs' },
      ]),
    );
    expect(rbac.authorize(ask({}))).toEqual({
      decision: 'allow',
      reason: 'RBAC: allowed by RoleBinding "bobs/shop" of ClusterRole "reader" to User "bob"',
    });
    const decide = (change: Partial<AuthorizationAttributes>) => rbac.authorize(ask(change)).decision;
    expect(decide({ namespace: 'other' })).toBe('noOpinion');
    expect(decide({ namespace: '' })).toBe('noOpinion');
    expect(decide({ verb: 'watch' })).toBe('noOpinion');
    expect(decide({ subresource: 'log' })).toBe('noOpinion');
    expect(decide({ resource: 'deployments', subresource: 'scale' })).toBe('allow');
    expect(decide({ group: 'apps' })).toBe('noOpinion');
    expect(rbac.authorize(ask({ user: user('system:serviceaccount:ci:robot'), namespace: '' })).reason).toBe(
      'RBAC: allowed by ClusterRoleBinding "robots" of ClusterRole "reader" to ServiceAccount "robot/ci"',
    );
    expect(decide({ user: user('eve', 'devs'), namespace: 'any' })).toBe('allow');
    rbac.index.upsert(binding('bobs', 'reader', [{ kind: 'User', name: 'ann' }], 'shop'));
    expect(decide({})).toBe('noOpinion');
    expect(decide({ user: user('ann') })).toBe('allow');
    rbac.index.remove(binding('bobs', 'reader', [], 'shop'));
    expect(decide({ user: user('ann') })).toBe('noOpinion');
  });

  it('knows names, paths and missing roles', () => {
    const rbac = new RbacAuthorizer();
    rbac.index.upsert(
      role('one', [
        { apiGroups: [''], resources: ['secrets'], resourceNames: ['a'], verbs: ['get'] },
        { nonResourceURLs: ['/metrics', '/debug/*'], verbs: ['get'] },
      ]),
    );
    rbac.index.upsert(binding('b', 'one', [{ kind: 'User', name: 'bob' }]));
    const decide = (change: Partial<AuthorizationAttributes>) => rbac.authorize(ask(change)).decision;
    expect(decide({ resource: 'secrets', name: 'a' })).toBe('allow');
    expect(decide({ resource: 'secrets', name: 'b' })).toBe('noOpinion');
    expect(decide({ resource: 'secrets', verb: 'get', name: '' })).toBe('noOpinion');
    expect(decide({ resourceRequest: false, path: '/debug/pprof' })).toBe('allow');
    expect(decide({ resourceRequest: false, path: '/metrics/x' })).toBe('noOpinion');
    rbac.index.remove(role('one', []));
    expect(rbac.authorize(ask({})).reason).toBe('RBAC: clusterrole.rbac.authorization.k8s.io "one" not found');
  });

  it('stays fast with thousands of bindings', () => {
    const withBindings = (count: number) => {
      const rbac = new RbacAuthorizer();
      for (const object of [...defaultClusterRoles(), ...defaultClusterRoleBindings()]) rbac.index.upsert(object);
      for (let i = 0; i < count; i++) {
        const name = `${4000 - i}`;
        rbac.index.upsert(binding(`b${name}`, 'edit', [{ kind: 'User', name: `u${name}` }], `ns${name}`));
      }
      return rbac;
    };
    const attributes = ask({
      user: user('u4000', 'system:authenticated'),
      namespace: 'ns4000',
      group: 'apps',
      resource: 'deployments',
      verb: 'patch',
    });
    const cpuOf = (rbac: RbacAuthorizer) => {
      let allowed = 0;
      const { user: before } = process.cpuUsage();
      for (let i = 0; i < 5000; i++) if (rbac.authorize(attributes).decision === 'allow') allowed++;
      expect(allowed).toBe(5000);
      return process.cpuUsage().user - before;
    };
    const [few, many] = [withBindings(1), withBindings(4000)];
    // The least of some: others' garbage is collected on our time.
    const least = (rbac: RbacAuthorizer) => Math.min(...Array.from({ length: 4 }, () => cpuOf(rbac)));
    expect(least(many)).toBeLessThan(20 * Math.max(least(few), 1000));
  });
});

describe('escalation', () => {
  const rbac = new RbacAuthorizer();
  rbac.index.upsert(
    role('reader', [
      pods,
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: ['create'] },
    ]),
  );
  rbac.index.upsert(role('admin', [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]));
  rbac.index.upsert(
    role('binder', [
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterroles'],
        resourceNames: ['admin'],
        verbs: ['bind'],
      },
    ]),
  );
  rbac.index.upsert(binding('bobs', 'reader', [{ kind: 'User', name: 'bob' }], 'shop'));
  rbac.index.upsert(binding('carols', 'binder', [{ kind: 'User', name: 'carol' }]));
  const checks = { rbac, authorizer: rbac };
  const own = role('mine', [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }], 'shop') as never;
  const rightsOfMore = [{ apiGroups: [''], resources: ['pods', 'secrets'], verbs: ['get', 'list'] }];
  const more = role('mine', rightsOfMore, 'shop') as never;

  it('lets nobody grant what they do not hold', async () => {
    await checkRoleEscalation(checks, user('bob', 'dev'), own);
    await expect(checkRoleEscalation(checks, user('bob', 'dev'), more)).rejects.toThrow(
      'roles.rbac.authorization.k8s.io "mine" is forbidden: user "bob" (groups=["dev"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    );
    const changed = (metadata: object) => role('mine', rightsOfMore, 'shop', { ...metadata }) as never;
    await checkRoleEscalation(checks, user('bob', 'dev'), changed({ finalizers: ['x'] }), more);
    await expect(
      checkRoleEscalation(checks, user('bob', 'dev'), changed({ labels: { a: 'b' } }), more),
    ).rejects.toThrow('attempting to grant');
    await checkRoleEscalation(checks, user('root', 'system:masters'), more);
  });

  it('lets nobody bind what they do not hold, unless they may bind it', async () => {
    const toAdmin = binding('x', 'admin', [{ kind: 'User', name: 'bob' }], 'shop') as never;
    await expect(checkBindingEscalation(checks, user('bob'), toAdmin)).rejects.toThrow(
      /attempting to grant RBAC permissions not currently held/,
    );
    await checkBindingEscalation(checks, user('carol'), toAdmin);
    await expect(
      checkBindingEscalation(checks, user('bob'), binding('x', 'none', [], 'shop') as never),
    ).rejects.toThrow('clusterrole.rbac.authorization.k8s.io "none" not found');
  });
});

describe('the chain', () => {
  it('denies when an authorizer fails or hangs, and lets masters in before', async () => {
    const broken = { name: 'broken', authorize: () => new Promise<never>(() => {}) };
    const chain = new AuthorizationChain({
      logger: silentLogger,
      deadlineMs: 20,
      authorizers: [systemMasters, broken, new RbacAuthorizer()],
    });
    expect(await chain.authorize(ask({}))).toMatchObject({ decision: 'deny' });
    expect(chain.authorize(ask({ user: user('root', 'system:masters') }))).toMatchObject({ decision: 'allow' });
    const remove = new AuthorizationChain({ logger: silentLogger, authorizers: [new RbacAuthorizer()] }).register(
      broken,
      { before: 'RBAC' },
    );
    remove();
    expect(accessDenied(ask({ verb: 'list' })).message).toBe(
      'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "shop"',
    );
    expect(accessDenied(ask({ resourceRequest: false, path: '/x', verb: 'get' })).message).toBe(
      'forbidden: User "bob" cannot get path "/x"',
    );
  });
});

it('lists what a user may do, and which of their roles are not there', () => {
  const rbac = new RbacAuthorizer();
  rbac.index.upsert(role('reader', [pods]));
  for (const name of ['reader', 'none']) rbac.index.upsert(binding(name, name, [{ kind: 'User', name: 'bob' }]));
  const chain = new AuthorizationChain({ logger: silentLogger, authorizers: [rbac] });
  expect(chain.rulesFor(user('bob'), 'shop')).toEqual({
    resource: [pods],
    nonResource: [],
    incomplete: false,
    evaluationError: 'clusterrole.rbac.authorization.k8s.io "none" not found',
  });
});

describe('the bootstrap policy', () => {
  it('is created once, repaired where it lost rules, and left alone where users said so', async () => {
    const objects = new Map<string, RbacObject>();
    let writes = 0;
    const transport: Transport = {
      async request<T>({ method, path, body }: { method: string; path: string; body?: unknown }) {
        const plain = decodeURIComponent(path);
        const answer = (value: unknown) => ({ status: 200, body: value as T, warnings: [] });
        if (method === 'GET' && /\/(cluster)?role(binding)?s$/.test(plain)) {
          const suffix = plain.slice(plain.lastIndexOf('/'));
          return answer({
            items: [...objects].filter(([key]) => key.includes(`${suffix}/`)).map(([, object]) => object),
          });
        }
        if (method === 'GET') {
          const found = objects.get(plain);
          if (!found) throw notFound({ group: '', resource: 'x' }, plain);
          return answer(found);
        }
        writes++;
        if (method === 'DELETE') return answer(objects.delete(plain));
        const key = method === 'POST' ? `${plain}/${(body as RbacObject).metadata.name}` : plain;
        if (method === 'POST' && objects.has(key)) throw new StatusError({ code: 409, reason: 'AlreadyExists' });
        objects.set(key, JSON.parse(JSON.stringify(body)));
        return answer(body);
      },
      watch: () => ({ done: Promise.resolve(), stop() {} }),
      async close() {},
    } as Transport;
    await ensureBootstrapPolicy(transport);
    expect(writes).toBe(objects.size);
    expect(objects.size).toBeGreaterThan(130);
    writes = 0;
    await ensureBootstrapPolicy(transport);
    expect(writes).toBe(0);

    const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles/';
    const edit = (name: string, change: object) =>
      objects.set(path + name, { ...objects.get(path + name)!, ...change } as RbacObject);
    edit('system:basic-user', { rules: [{ apiGroups: ['acme'], resources: ['mine'], verbs: ['get'] }] });
    edit('system:kube-dns', {
      rules: [],
      metadata: { name: 'system:kube-dns', annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
    });
    const bound = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:discovery';
    const before = objects.get(bound)!;
    objects.set(bound, { ...before, roleRef: { apiGroup: 'rbac', kind: 'ClusterRole', name: 'admin' } } as RbacObject);
    await ensureBootstrapPolicy(transport);
    expect(writes).toBe(3);
    expect(objects.get(bound)).toEqual(before);
    expect((objects.get(`${path}system:basic-user`) as unknown as { rules: PolicyRule[] }).rules).toHaveLength(4);
  });

  it('lets admins of a namespace do their work there and no more', () => {
    const rbac = new RbacAuthorizer();
    for (const object of defaultClusterRoles()) rbac.index.upsert(object);
    rbac.index.upsert(binding('a', 'admin', [{ kind: 'User', name: 'bob' }], 'shop'));
    rbac.index.upsert(binding('v', 'view', [{ kind: 'User', name: 'ann' }], 'shop'));
    const may = (change: Partial<AuthorizationAttributes>) => rbac.authorize(ask(change)).decision === 'allow';
    expect(may({ group: 'apps', resource: 'deployments', verb: 'create' })).toBe(true);
    expect(may({ resource: 'secrets', verb: 'get' })).toBe(true);
    expect(may({ resource: 'pods', subresource: 'log' })).toBe(true);
    expect(may({ resource: 'resourcequotas', verb: 'update' })).toBe(false);
    expect(may({ user: user('ann'), resource: 'secrets', verb: 'get' })).toBe(false);
    expect(may({ user: user('ann'), resource: 'configmaps', verb: 'list' })).toBe(true);
  });
});
