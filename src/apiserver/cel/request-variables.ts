import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { RequestMatch } from '../admission/matching/request-match.ts';
import { AuthorizerValue, ResourceCheckValue } from './library/authorizer.ts';
import { jsonToCel } from './values.ts';

/** The variables of expressions about an admission request. */
export const REQUEST_VARIABLES = ['object', 'oldObject', 'request', 'authorizer'] as const;

export function requestVariables(
  attributes: AdmissionAttributes,
  match: RequestMatch,
  {
    object,
    oldObject,
  }: { readonly object: UnstructuredObject | undefined; readonly oldObject: UnstructuredObject | undefined },
  authorizer: Authorizer,
): Record<string, unknown> {
  const { user, subresource, namespace, name, operation, dryRun, kind, resource, options } = attributes;
  const authorization = new AuthorizerValue(authorizer, user);
  const request = jsonToCel({
    kind: match.kind,
    resource: match.resource,
    subResource: subresource,
    requestKind: kind,
    requestResource: resource,
    requestSubResource: subresource,
    name,
    namespace,
    operation,
    userInfo: { username: user.name, uid: user.uid ?? '', groups: user.groups ?? [], extra: user.extra ?? {} },
    dryRun,
    options: Object.keys(options).length ? options : null,
  });
  const requestResource = new ResourceCheckValue(authorization, {
    group: resource.group,
    version: resource.version,
    resource: resource.resource,
    subresource,
    namespace,
    name,
  });
  return {
    object: object === undefined ? null : jsonToCel(object),
    oldObject: oldObject === undefined ? null : jsonToCel(oldObject),
    request,
    authorizer: authorization,
    'authorizer.requestResource': requestResource,
  };
}
