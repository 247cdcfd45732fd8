import type { FlowSchema, PolicyRulesWithSubjects, Subject } from '../../api/types/flowcontrol.v1.gen.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { RequestInfo } from '../request/request-info.ts';

const has = (list: readonly string[] | undefined, value: string) =>
  list !== undefined && (list.includes('*') || list.includes(value));

export function matchesFlowSchema({ spec }: FlowSchema, user: UserInfo, info: RequestInfo): boolean {
  return (spec.rules ?? []).some(
    (rule) => rule.subjects.some((subject) => matchesSubject(subject, user)) && matchesRequest(rule, info),
  );
}

function matchesSubject(subject: Subject, { name, groups }: UserInfo): boolean {
  if (subject.kind === 'User') return subject.user?.name === '*' || subject.user?.name === name;
  if (subject.kind === 'Group') return subject.group?.name === '*' || groups.includes(subject.group?.name ?? '');
  const account = subject.serviceAccount;
  if (!account) return false;
  const prefix = `system:serviceaccount:${account.namespace}:`;
  return account.name === '*' ? name.startsWith(prefix) : name === prefix + account.name;
}

function matchesRequest({ resourceRules = [], nonResourceRules = [] }: PolicyRulesWithSubjects, info: RequestInfo) {
  if (!info.resourceRequest)
    return nonResourceRules.some(
      ({ verbs, nonResourceURLs }) =>
        has(verbs, info.verb) &&
        nonResourceURLs.some((url) => (url.endsWith('*') ? info.path.startsWith(url.slice(0, -1)) : url === info.path)),
    );
  const resource = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
  return resourceRules.some(
    (rule) =>
      has(rule.verbs, info.verb) &&
      has(rule.apiGroups, info.group) &&
      has(rule.resources, resource) &&
      (info.namespace ? has(rule.namespaces, info.namespace) : rule.clusterScope === true),
  );
}
