import type { KindDefinition } from '../../api/kind.ts';
import { decodeJson, decodeYaml } from '../../apimachinery/decode.ts';
import { FieldPath, forbiddenField, required } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { applyPatch } from '../../apimachinery/managed-fields/apply-patch.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { applyJsonPatch } from '../../apimachinery/patch/json-patch.ts';
import { applyMergePatch } from '../../apimachinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../apimachinery/patch/strategic-merge.ts';
import type { Schema } from '../../apimachinery/schema.ts';
import { badRequest, conflict, invalid, isStatusError, unsupportedMediaType } from '../../apimachinery/status-error.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import { headerOf, type RequestBody, type RequestContext } from '../request/request-context.ts';
import { isTrue } from '../request/request-info.ts';
import { parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import type { Entry } from '../watch-cache/entry.ts';
import { appliedConfiguration } from './applied-configuration.ts';
import { createObject } from './create.ts';
import { otherVersions } from './managed-fields.ts';
import { placeInNamespace } from './object-metadata.ts';
import { type DecodedValue, decodeObject, mediaTypeOf } from './read-object.ts';
import { type RegistryServices, timestamp } from './registry-services.ts';
import { resetFields } from './reset-fields.ts';
import { type SubresourceStrategy, updateObject } from './update.ts';

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const OPENING_BRACE = 0x7b;

/** A patch as the client sent it, before it meets an object. */
export interface PatchRequest {
  readonly mediaType: string;
  readonly body: unknown;
  readonly duplicateFields: readonly string[];
  readonly options: WriteOptions;
  readonly force: boolean;
}

export function isApply(patch: PatchRequest): boolean {
  return patch.mediaType === APPLY_PATCH;
}

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

/** Reads and checks the body and the options of a patch. Throws StatusError 415 for a type the kind does not take. */
export async function readPatch(context: RequestContext, custom: boolean): Promise<PatchRequest> {
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(custom ? [] : [STRATEGIC_PATCH]), APPLY_PATCH];
  const sent = headerOf(context.headers, 'content-type');
  // A body of another type is not even looked at.
  if (sent !== undefined && !accepted.includes(mediaTypeOf(sent))) throw unsupportedMediaType(accepted);
  const raw = await context.readBody();
  const mediaType = mediaTypeOf(raw.contentType);
  if (!accepted.includes(mediaType)) throw unsupportedMediaType(accepted);
  const options = parseWriteOptions(context, 'PatchOptions');
  const force = context.query.get('force');
  const given = context.query.get('fieldManager');
  if (mediaType === APPLY_PATCH) {
    if (!given) throw invalidOptions(required(FieldPath.of('fieldManager'), 'is required for apply patch'));
  } else if (force !== null)
    throw invalidOptions(forbiddenField(FieldPath.of('force'), 'may not be specified for non-apply patch'));
  const duplicates = options.fieldValidation !== 'Ignore';
  const decoded = decodePatch(raw, mediaType, duplicates);
  return { mediaType, body: decoded.value, duplicateFields: decoded.duplicateFields, options, force: isTrue(force) };
}

function decodePatch(raw: RequestBody, mediaType: string, duplicates: boolean): DecodedValue {
  if ('object' in raw) return { value: draft(raw.object), duplicateFields: [] };
  try {
    return mediaType === APPLY_PATCH
      ? decodeConfiguration(raw.bytes, duplicates)
      : decodeJson(raw.bytes, { duplicates });
  } catch (error) {
    if (!isStatusError(error, 'BadRequest')) throw error;
    if (mediaType === APPLY_PATCH) throw badRequest(`error decoding YAML: ${error.message}`);
    const why = error.message.replace("couldn't get version/kind; json parse error: ", '');
    throw badRequest(mediaType === STRATEGIC_PATCH ? why : `error decoding patch: ${why}`);
  }
}

/** JSON is YAML, and what clients mostly send; its own parser is ten times as fast. What is odd about it, YAML's tells. */
function decodeConfiguration(bytes: Uint8Array, duplicates: boolean): ReturnType<typeof decodeJson> {
  if (bytes[0] === OPENING_BRACE) {
    try {
      const decoded = decodeJson(bytes, { duplicates: true });
      if (decoded.duplicateFields.length === 0) return decoded;
    } catch (error) {
      if (!isStatusError(error)) throw error;
    }
  }
  return decodeYaml(bytes, { duplicates });
}

function invalidOptions(error: ReturnType<typeof required>) {
  return invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [error]);
}

function patched(
  definition: KindDefinition,
  patch: PatchRequest,
  context: RequestContext,
  old: UnstructuredObject,
): Draft<UnstructuredObject> {
  const object = patchDocument(patch, old, definition.schema);
  checkName(object, old);
  return decodeObject(object, definition, patch.options.fieldValidation, patch.duplicateFields, context.warnings);
}

/** A private copy of `document` with the patch done to it. */
export function patchDocument(patch: PatchRequest, document: object, schema: Schema): unknown {
  switch (patch.mediaType) {
    case JSON_PATCH:
      return draft(applyJsonPatch(document, patch.body));
    case MERGE_PATCH:
      return draft(applyMergePatch(document, patch.body));
    default:
      return draft(applyStrategicMergePatch(document, patch.body, schema));
  }
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

/** Custom resources have no strategic merge: nothing says how their lists merge. */
function isCustom(definition: KindDefinition): boolean {
  return definition.schema.name === undefined;
}
