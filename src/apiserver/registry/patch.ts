import type { KindDefinition } from '../../api/kind.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { applyPatch } from '../../apimachinery/managed-fields/apply-patch.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest, conflict } from '../../apimachinery/status-error.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { Entry } from '../watch-cache/entry.ts';
import { appliedConfiguration } from './applied-configuration.ts';
import { createObject } from './create.ts';
import { otherVersions } from './managed-fields.ts';
import { placeInNamespace } from './object-metadata.ts';
import { isApply, isCustom, type PatchRequest, readPatch } from './patch-request.ts';
import { patchedObject } from './patched-object.ts';
import { decodeObject } from './read-object.ts';
import { type RegistryServices, timestamp } from './registry-services.ts';
import { resetFields } from './reset-fields.ts';
import { type SubresourceStrategy, updateObject } from './update.ts';

/** PATCH. `created` is set when server-side apply made a new object. */
export async function patchFromRequest(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  subresource?: SubresourceStrategy,
): Promise<{ entry: Entry; created: boolean }> {
  const patch = await readPatch(context, isCustom(definition));
  const { options } = patch;
  const { name } = context.info;
  const namespace = definition.namespaced ? context.info.namespace : '';
  let created = false;
  const apply = isApply(patch);
  const entry = await updateObject(services, context, {
    definition,
    namespace,
    name,
    options,
    tracked: apply,
    ...(subresource ? { subresource } : {}),
    next: (old) =>
      apply
        ? applied(services, definition, patch, context, old, subresource?.name)
        : patched(definition, patch, context, old),
    ...(apply && !subresource
      ? {
          create: async () => {
            await mayCreate(services, context);
            created = true;
            const object = applied(services, definition, patch, context, undefined, undefined);
            object.metadata.name ||= name;
            if (object.metadata.uid)
              throw conflict(
                definition,
                name,
                `uid mismatch: the provided object specified uid ${object.metadata.uid}, and no existing object was found`,
              );
            placeInNamespace(object, definition, namespace);
            return createObject(services, context, definition, object, options, 'tracked');
          },
        }
      : {}),
  });
  return { entry, created };
}

function patched(
  definition: KindDefinition,
  patch: PatchRequest,
  context: RequestContext,
  old: UnstructuredObject,
): Draft<UnstructuredObject> {
  const object = patchedObject(patch, old, definition, context.warnings);
  checkName(object, old);
  return object;
}

function applied(
  services: RegistryServices,
  definition: KindDefinition,
  patch: PatchRequest,
  context: RequestContext,
  live: UnstructuredObject | undefined,
  subresource: string | undefined,
): Draft<UnstructuredObject> {
  const config = appliedConfiguration(definition, patch, context);
  const { object } = applyPatch({
    live,
    config,
    schema: definition.schema,
    manager: patch.options.fieldManager,
    apiVersion: apiVersionOf(definition.group, definition.version),
    force: patch.force,
    now: timestamp(services.now()),
    ignore: resetFields(definition, subresource),
    versions: otherVersions(services, definition),
    checked: true,
    ...(subresource ? { subresource } : {}),
  });
  const decoded = decodeObject(draft(object), definition, 'Ignore', [], context.warnings);
  if (live) decoded.metadata.resourceVersion ??= live.metadata.resourceVersion as string;
  return decoded;
}

/** A patch cannot turn an object into another. */
function checkName(object: unknown, old: UnstructuredObject): void {
  const name = (object as { metadata?: { name?: unknown } } | null)?.metadata?.name;
  if (name !== undefined && name !== old.metadata.name)
    throw badRequest(
      `the name of the object (${String(name)}) does not match the name on the URL (${old.metadata.name})`,
    );
}

async function mayCreate(services: RegistryServices, { info, user }: RequestContext): Promise<void> {
  const attributes = { ...info, user, verb: 'create' };
  const { decision, reason } = await services.authorization.authorize(attributes);
  if (decision !== 'allow') throw accessDenied(attributes, reason);
}
