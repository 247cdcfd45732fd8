import type { AuthorizationAttributes, Authorizer } from '../../sdk/authorization.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, SYSTEM_UNAUTHENTICATED, type UserInfo } from '../../sdk/user.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import type { WantedUser } from './impersonation.ts';

export interface Impersonated {
  readonly user: UserInfo;
  /** The verb that allowed it, when it was allowed for this sort of request only. */
  readonly constraint?: string;
}

/** A way to be allowed to act as somebody. */
interface Mode {
  /** Undefined: the verb `impersonate`, which allows whatever the user may do. */
  readonly name: string | undefined;
  applies(wanted: WantedUser, requester: UserInfo): boolean;
}

const NODE_PREFIX = 'system:node:';
const NODE_NAME = 'authentication.kubernetes.io/node-name';
const AUTHENTICATION = 'authentication.k8s.io';
const MAX_REMEMBERED = 1024;

/** In the order in which they are tried. */
const MODES: readonly Mode[] = [
  {
    name: 'associated-node',
    applies: (wanted, requester) =>
      isNameAlone(wanted) && serviceAccountOf(requester.name) !== undefined && nodeOf(wanted) === boundNode(requester),
  },
  { name: 'arbitrary-node', applies: (wanted) => isNameAlone(wanted) && nodeOf(wanted) !== undefined },
  { name: 'serviceaccount', applies: (wanted) => isNameAlone(wanted) && serviceAccountOf(wanted.name) !== undefined },
  {
    name: 'user-info',
    applies: (wanted) => nodeOf(wanted) === undefined && serviceAccountOf(wanted.name) === undefined,
  },
  { name: undefined, applies: () => true },
];

/** Who may act as whom: for everything that user may do, or constrained to some requests. */
export class ImpersonationModes {
  readonly #authorizer: Authorizer;
  /** By the requester's name, what allowed it last. */
  readonly #last = new Map<string, Mode>();

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  /** `attributes` are of the request, as the requester's own. Throws the StatusError 403 of the first mode that applies. */
  async impersonate(wanted: WantedUser, attributes: AuthorizationAttributes): Promise<Impersonated> {
    const requester = attributes.user;
    const last = this.#last.get(requester.name);
    let refusal: Error | undefined;
    for (const mode of last ? [last, ...MODES.filter((other) => other !== last)] : MODES) {
      if (!mode.applies(wanted, requester)) continue;
      const refused = await this.#refusal(mode, wanted, attributes);
      if (refused) {
        refusal ??= refused;
        continue;
      }
      this.#remember(requester.name, mode);
      const user = userOf(wanted, mode);
      return mode.name === undefined ? { user } : { user, constraint: `impersonate:${mode.name}` };
    }
    throw refusal!;
  }

  async #refusal(mode: Mode, wanted: WantedUser, request: AuthorizationAttributes): Promise<Error | undefined> {
    const requester = mode.name === 'associated-node' ? withoutExtra(request.user) : request.user;
    const needs = identityNeeds(mode, wanted, requester);
    if (mode.name) needs.unshift({ ...request, user: requester, verb: `impersonate-on:${mode.name}:${request.verb}` });
    for (const attributes of needs) {
      if (mode.name && isMasters(attributes))
        return accessDenied(attributes, `impersonating the ${SYSTEM_MASTERS} group is not allowed`);
      const { decision, reason } = await this.#authorizer.authorize(attributes);
      if (decision !== 'allow') return accessDenied(attributes, reason);
    }
    return undefined;
  }

  #remember(name: string, mode: Mode): void {
    this.#last.delete(name);
    this.#last.set(name, mode);
    if (this.#last.size > MAX_REMEMBERED) this.#last.delete(this.#last.keys().next().value!);
  }
}

/** What it takes to be allowed to be that user. */
function identityNeeds(mode: Mode, wanted: WantedUser, requester: UserInfo): AuthorizationAttributes[] {
  const verb = mode.name === undefined ? 'impersonate' : `impersonate:${mode.name}`;
  const need = (part: Partial<AuthorizationAttributes>): AuthorizationAttributes => ({
    user: requester,
    verb,
    resourceRequest: true,
    group: AUTHENTICATION,
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
    ...part,
  });
  const group = mode.name === undefined ? '' : AUTHENTICATION;
  const account = serviceAccountOf(wanted.name);
  const node = mode.name === undefined ? undefined : nodeOf(wanted);
  const needs = [
    account
      ? need({ group, resource: 'serviceaccounts', namespace: account.namespace, name: account.name })
      : node !== undefined
        ? need({ group, resource: 'nodes', name: mode.name === 'associated-node' ? '*' : node })
        : need({ group, resource: 'users', name: wanted.name }),
  ];
  if (wanted.uid) needs.push(need({ resource: 'uids', name: wanted.uid }));
  for (const name of wanted.groups) needs.push(need({ group, resource: 'groups', name }));
  for (const [subresource, list] of wanted.extra)
    for (const name of list) needs.push(need({ resource: 'userextras', subresource, name }));
  return needs;
}

/** Nobody becomes an administrator in a constrained mode. */
const isMasters = ({ group, resource, name }: AuthorizationAttributes) =>
  group === AUTHENTICATION && resource === 'groups' && name === SYSTEM_MASTERS;

function userOf({ name, uid, groups, extra }: WantedUser, mode: Mode): UserInfo {
  return {
    name,
    ...(uid ? { uid } : {}),
    groups: effectiveGroups(name, groups, mode),
    ...(extra.size ? { extra: Object.fromEntries(extra) } : {}),
  };
}

function effectiveGroups(name: string, given: readonly string[], mode: Mode): readonly string[] {
  const groups = [...given];
  const account = serviceAccountOf(name);
  if (groups.length === 0) {
    if (account) groups.push('system:serviceaccounts', `system:serviceaccounts:${account.namespace}`);
    else if (mode.name !== undefined && name.startsWith(NODE_PREFIX)) groups.push('system:nodes');
  }
  const everybody = name === 'system:anonymous' ? SYSTEM_UNAUTHENTICATED : SYSTEM_AUTHENTICATED;
  if (!groups.includes(everybody) && !groups.includes(SYSTEM_UNAUTHENTICATED)) groups.push(everybody);
  return groups;
}

const isNameAlone = ({ uid, groups, extra }: WantedUser) => uid === '' && groups.length === 0 && extra.size === 0;

function nodeOf({ name }: WantedUser): string | undefined {
  if (!name.startsWith(NODE_PREFIX)) return undefined;
  const node = name.slice(NODE_PREFIX.length);
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(node) ? node : undefined;
}

function serviceAccountOf(name: string): { namespace: string; name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  return match ? { namespace: match[1]!, name: match[2]! } : undefined;
}

/** The node that a ServiceAccount's token is bound to; an empty text is nobody's. */
function boundNode({ extra }: UserInfo): string {
  const names = extra?.[NODE_NAME] ?? [];
  return names.length === 1 ? names[0]! : '';
}

/** What differs from node to node must not count for a permission that holds on all of them. */
function withoutExtra({ extra = {}, ...user }: UserInfo): UserInfo {
  return { ...user, extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(extra).sort() } };
}
