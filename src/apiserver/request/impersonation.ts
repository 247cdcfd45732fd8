import { badRequest } from '../../apimachinery/status-error.ts';
import type { AuthorizationAttributes } from '../../sdk/authorization.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_UNAUTHENTICATED, type UserInfo } from '../../sdk/user.ts';
import { headerOf, type RequestHeaders } from './request-context.ts';

const EXTRA = 'impersonate-extra-';

/** Who the request wants to be, and the permissions that takes. */
export interface Impersonation {
  readonly user: UserInfo;
  readonly needs: readonly AuthorizationAttributes[];
}

/** `undefined`: no impersonation is asked for. Throws StatusError when the headers make no sense. */
export function impersonationOf(headers: RequestHeaders, requester: UserInfo): Impersonation | undefined {
  const name = headerOf(headers, 'impersonate-user');
  const groups = values(headers['impersonate-group']);
  const uid = headerOf(headers, 'impersonate-uid');
  const extra = new Map<string, string[]>();
  for (const header in headers) {
    if (!header.startsWith(EXTRA)) continue;
    const encoded = header.slice(EXTRA.length);
    const key = safeDecode(encoded).toLowerCase();
    extra.set(key, [...(extra.get(key) ?? []), ...values(headers[header])]);
  }
  if (!name) {
    if (groups.length || uid || extra.size) throw badRequest('requested impersonation without impersonating a user');
    return undefined;
  }
  const needs: AuthorizationAttributes[] = [];
  const need = (part: Partial<AuthorizationAttributes>) => needs.push({ ...base(requester), ...part });
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (account) need({ resource: 'serviceaccounts', namespace: account[1]!, name: account[2]! });
  else need({ resource: 'users', name });
  for (const group of groups) need({ resource: 'groups', name: group });
  if (uid) need({ group: 'authentication.k8s.io', resource: 'uids', name: uid });
  for (const [key, list] of extra)
    for (const value of list)
      need({ group: 'authentication.k8s.io', resource: 'userextras', subresource: key, name: value });
  return {
    user: {
      name,
      ...(uid ? { uid } : {}),
      groups: effectiveGroups(name, groups, account),
      ...(extra.size ? { extra: Object.fromEntries(extra) } : {}),
    },
    needs,
  };
}

function effectiveGroups(name: string, groups: readonly string[], account: RegExpExecArray | null): readonly string[] {
  const all = [...groups];
  if (account && all.length === 0) all.push('system:serviceaccounts', `system:serviceaccounts:${account[1]}`);
  if (name === 'system:anonymous') return all.includes(SYSTEM_UNAUTHENTICATED) ? all : [...all, SYSTEM_UNAUTHENTICATED];
  return all.includes(SYSTEM_AUTHENTICATED) || all.includes(SYSTEM_UNAUTHENTICATED)
    ? all
    : [...all, SYSTEM_AUTHENTICATED];
}

function base(user: UserInfo): AuthorizationAttributes {
  return {
    user,
    verb: 'impersonate',
    resourceRequest: true,
    group: '',
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
  };
}

/** A header that may be given more than once; Node joins repeated ones with a comma and a space. Names may have commas. */
function values(header: string | readonly string[] | undefined): string[] {
  if (header === undefined) return [];
  const list = typeof header === 'string' ? header.split(', ') : header;
  return list.map((value) => value.trim()).filter((value) => value !== '');
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
