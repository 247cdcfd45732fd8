import type { KindDefinition } from '../../api/kind.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AuthorizationAttributes } from '../../sdk/authorization.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import { Admission } from '../registry/admit.ts';
import type { RegistryServices } from '../registry/registry-services.ts';
import type { RequestContext } from '../request/request-context.ts';

/** The admission of a connection: `options` is what the client asked for, an object of `kind` of the core group. */
export async function admitConnection(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  kind: string,
  options: object,
): Promise<void> {
  const { name, namespace, subresource } = context.info;
  const admission = new Admission(services, context, {
    operation: 'CONNECT',
    definition,
    kind: { group: '', version: 'v1', kind },
    subresource,
    namespace,
    name,
    dryRun: false,
    options: {},
  });
  const object = { apiVersion: 'v1', kind, metadata: {}, ...options } as unknown as UnstructuredObject;
  await admission.mutate(object as Draft<UnstructuredObject>);
  await admission.validate(object);
}

/**
 * WebSocket has to come as GET, and reading is not running: whoever may only `get` the subresource is refused. Throws
 * StatusError 403.
 */
export async function requireCreate(
  { authorization }: RegistryServices,
  { info, user }: RequestContext,
): Promise<void> {
  const { resourceRequest, group, version, resource, subresource, namespace, name, path } = info;
  const attributes: AuthorizationAttributes = {
    user,
    verb: 'create',
    resourceRequest,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    path,
  };
  const { decision, reason } = await authorization.authorize(attributes);
  if (decision !== 'allow') throw accessDenied(attributes, reason);
}
