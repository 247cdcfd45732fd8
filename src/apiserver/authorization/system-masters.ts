import type { AuthorizationDecision, Authorizer } from '../../sdk/authorization.ts';
import { SYSTEM_MASTERS } from '../../sdk/user.ts';

const allowed: AuthorizationDecision = { decision: 'allow' };
const noOpinion: AuthorizationDecision = { decision: 'noOpinion' };
const everything = {
  resource: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResource: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const nothing = { resource: [], nonResource: [] };

/** Members of `system:masters` may do everything, whatever the other authorizers say: the way back in. */
export const systemMasters: Authorizer = {
  name: 'SystemMasters',
  authorize: ({ user }) => (user.groups.includes(SYSTEM_MASTERS) ? allowed : noOpinion),
  // RBAC binds the group to cluster-admin, which says the same.
  rulesFor: () => nothing,
};

/** For tests and for clusters that want no authorization. */
export const alwaysAllow: Authorizer = { name: 'AlwaysAllow', authorize: () => allowed, rulesFor: () => everything };

export const alwaysDeny: Authorizer = {
  name: 'AlwaysDeny',
  authorize: () => ({ decision: 'noOpinion', reason: 'Everything is forbidden.' }),
  rulesFor: () => nothing,
};
