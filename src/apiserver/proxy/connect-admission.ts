import type { KindDefinition } from '../../api/kind.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AuthorizationAttributes } from '../../sdk/authorization.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import { Admission } from '../registry/admit.ts';
import type { RegistryServices } from '../registry/registry-services.ts';
import type { RequestContext } from '../request/request-context.ts';

/**
 * The admission of a connection: `options` is what the client asked for, an object of `kind` of the core group. Returns what
 * admission made of it.
 */
export async function admitConnection<T extends object>(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  kind: string,
  options: T,
): Promise<T> {
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
  // As its JSON has it: without what is not set.
  const given = Object.entries(options).filter(([, value]) => value !== false && value !== '');
  const object = { kind, apiVersion: 'v1', ...Object.fromEntries(given) } as unknown as UnstructuredObject;
  await admission.mutate(object as Draft<UnstructuredObject>);
  await admission.validate(object);
  const unset = Object.entries(options).map(([key, value]) => [key, typeof value === 'boolean' ? false : value]);
  return { ...Object.fromEntries(unset), ...object } as unknown as T;
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
