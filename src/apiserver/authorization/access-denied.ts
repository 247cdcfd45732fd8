import { forbidden, type StatusError } from '../../apimachinery/status-error.ts';
import type { AuthorizationAttributes } from '../../sdk/authorization.ts';

/** The 403 of a request that no authorizer allowed, in the words of Kubernetes. */
export function accessDenied(attributes: AuthorizationAttributes, reason?: string): StatusError {
  const { user, verb, group, resource, subresource, namespace, name, path } = attributes;
  const tail = reason ? `: ${reason}` : '';
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (!attributes.resourceRequest)
    return forbidden({ group: '', resource: '' }, undefined, `${who} path ${JSON.stringify(path)}${tail}`);
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return forbidden(
    { group, resource },
    name || undefined,
    `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${tail}`,
  );
}
