import type { UserInfo } from '../../sdk/user.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { AuditPolicy, AuditRule, GroupResources } from './audit-policy.ts';

/** The first rule that the request meets. `user` is who authenticated; undefined when nobody did. */
export function matchingRule(
  { rules }: AuditPolicy,
  info: RequestInfo,
  user: UserInfo | undefined,
): AuditRule | undefined {
  return rules.find((rule) => matches(rule, info, user));
}

function matches(rule: AuditRule, info: RequestInfo, user: UserInfo | undefined): boolean {
  if (rule.users.length && !(user && rule.users.includes(user.name))) return false;
  if (rule.userGroups.length && !user?.groups.some((group) => rule.userGroups.includes(group))) return false;
  if (rule.verbs.length && !rule.verbs.includes(info.verb)) return false;
  if (rule.namespaces.length || rule.resources.length) return matchesResource(rule, info);
  if (rule.nonResourceURLs.length)
    return !info.resourceRequest && rule.nonResourceURLs.some((url) => matchesPath(url, info.path));
  return true;
}

function matchesResource({ namespaces, resources }: AuditRule, info: RequestInfo): boolean {
  if (!info.resourceRequest) return false;
  if (namespaces.length && !namespaces.includes(info.namespace)) return false;
  return resources.length === 0 || resources.some((one) => matchesGroup(one, info));
}

function matchesGroup({ group, resources, resourceNames }: GroupResources, info: RequestInfo): boolean {
  if (group !== info.group) return false;
  if (resources.length === 0) return true;
  if (resourceNames.length && !resourceNames.includes(info.name)) return false;
  const { resource, subresource } = info;
  const whole = subresource ? `${resource}/${subresource}` : resource;
  return resources.some(
    (one) =>
      one === '*' || one === whole || (subresource !== '' && one === `*/${subresource}`) || one === `${resource}/*`,
  );
}

function matchesPath(url: string, path: string): boolean {
  return url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : path === url;
}
