import { expect, it } from 'vitest';
import type { AuthorizationAttributes } from '../../sdk/authorization.ts';
import type { UserInfo } from '../../sdk/user.ts';
import { type WantedUser, wantedUser } from './impersonation.ts';
import { ImpersonationModes } from './impersonation-modes.ts';

const list: AuthorizationAttributes = {
  user: { name: 'jo', groups: [] },
  verb: 'list',
  resourceRequest: true,
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: '',
  path: '/api/v1/namespaces/shop/pods',
};
const agent: UserInfo = {
  name: 'system:serviceaccount:kube-system:agent',
  groups: [],
  extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
};
const wanted = (name: string, change: Partial<WantedUser> = {}): WantedUser => ({
  name,
  uid: '',
  groups: [],
  extra: new Map(),
  ...change,
});
const modes = (...allowed: string[]) =>
  new ImpersonationModes({
    name: 'test',
    authorize: ({ verb, group, resource, namespace, name }) => ({
      decision: allowed.includes([verb, group, resource, namespace, name].join(' ')) ? 'allow' : 'noOpinion',
    }),
  });
const CORE = 'impersonate  users  ann';
const ON = 'impersonate-on:user-info:list  pods shop ';
const ANN = 'impersonate:user-info authentication.k8s.io users  ann';

it.each<[string, string[], WantedUser, UserInfo, object]>([
  ['for everything', [CORE], wanted('ann'), list.user, { user: { name: 'ann', groups: ['system:authenticated'] } }],
  ['for some requests', [ON, ANN], wanted('ann'), list.user, { constraint: 'impersonate:user-info' }],
  [
    'a ServiceAccount, whose namespace counts',
    [
      'impersonate-on:serviceaccount:list  pods shop ',
      'impersonate:serviceaccount authentication.k8s.io serviceaccounts shop web',
    ],
    wanted('system:serviceaccount:shop:web'),
    list.user,
    {
      constraint: 'impersonate:serviceaccount',
      user: { groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'] },
    },
  ],
  [
    'any node',
    ['impersonate-on:arbitrary-node:list  pods shop ', 'impersonate:arbitrary-node authentication.k8s.io nodes  n2'],
    wanted('system:node:n2'),
    list.user,
    { constraint: 'impersonate:arbitrary-node', user: { groups: ['system:nodes', 'system:authenticated'] } },
  ],
  [
    'the node that the token is bound to',
    ['impersonate-on:associated-node:list  pods shop ', 'impersonate:associated-node authentication.k8s.io nodes  *'],
    wanted('system:node:n1'),
    agent,
    { constraint: 'impersonate:associated-node', user: { name: 'system:node:n1' } },
  ],
])('allows to act as somebody: %s', async (_, allowed, as, user, expected) => {
  expect(await modes(...allowed).impersonate(as, { ...list, user })).toMatchObject(expected);
});

it.each<[string, string[], WantedUser, UserInfo, string]>([
  ['the request', [ANN], wanted('ann'), list.user, 'User "jo" cannot impersonate-on:user-info:list resource "pods"'],
  ['the identity', [ON], wanted('ann'), list.user, 'users.authentication.k8s.io "ann" is forbidden: User "jo" cannot'],
  [
    'another node',
    ['impersonate-on:associated-node:list  pods shop ', 'impersonate:associated-node authentication.k8s.io nodes  *'],
    wanted('system:node:n2'),
    agent,
    'cannot impersonate-on:arbitrary-node:list',
  ],
  [
    'administrators',
    [ON, ANN, 'impersonate:user-info authentication.k8s.io groups  system:masters'],
    wanted('ann', { groups: ['system:masters'] }),
    list.user,
    'impersonating the system:masters group is not allowed',
  ],
])('refuses what only one of two permissions allows: %s', async (_, allowed, as, user, message) => {
  await expect(modes(...allowed).impersonate(as, { ...list, user })).rejects.toThrow(message);
});

it('refuses in the words of what allowed the requester last, and headers without a user', async () => {
  const legacy = modes(CORE);
  await legacy.impersonate(wanted('ann'), list);
  await expect(legacy.impersonate(wanted('bob'), list)).rejects.toThrow(
    'users "bob" is forbidden: User "jo" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  expect(() => wantedUser({ 'impersonate-group': 'dev' })).toThrow(
    'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"dev"}, Extra:map[string][]string(nil)} without impersonating a user name',
  );
});
