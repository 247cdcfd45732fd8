import type { KindDefinition } from '../../api/kind.ts';
import { decodeJson, decodeYaml } from '../../apimachinery/decode.ts';
import { FieldPath, forbiddenField, required } from '../../apimachinery/field.ts';
import { draft } from '../../apimachinery/json.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import {
  badRequest,
  invalid,
  isStatusError,
  StatusError,
  unsupportedMediaType,
} from '../../apimachinery/status-error.ts';
import { headerOf, type RequestBody, type RequestContext } from '../request/request-context.ts';
import { isTrue } from '../request/request-info.ts';
import { parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import type { DecodedValue } from './read-object.ts';

export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const OPENING_BRACE = 0x7b;
const OPERATION_MEMBERS = ['op', 'path', 'from', 'value'];

/** A patch as the client sent it, before it meets an object. */
export interface PatchRequest {
  readonly mediaType: string;
  readonly body: unknown;
  /** What strict decoding of the patch itself finds: members that are there twice, unknown ones of an operation. */
  readonly problems: readonly string[];
  readonly options: WriteOptions;
  readonly force: boolean;
}

export function isApply(patch: PatchRequest): boolean {
  return patch.mediaType === APPLY_PATCH;
}

/** Reads and checks the body and the options of a patch. Throws StatusError 415 for a type the kind does not take. */
export async function readPatch(context: RequestContext, custom: boolean): Promise<PatchRequest> {
  const sent = headerOf(context.headers, 'content-type');
  // A body of another type is not even looked at.
  if (sent !== undefined) patchTypeOf(sent, custom);
  const raw = await context.readBody();
  const mediaType = patchTypeOf(raw.contentType, custom);
  const options = parseWriteOptions(context, 'PatchOptions');
  const force = context.query.get('force');
  const given = context.query.get('fieldManager');
  if (mediaType === APPLY_PATCH) {
    if (!given) throw invalidOptions(required(FieldPath.of('fieldManager'), 'is required for apply patch'));
  } else if (force !== null)
    throw invalidOptions(forbiddenField(FieldPath.of('force'), 'may not be specified for non-apply patch'));
  const duplicates = options.fieldValidation !== 'Ignore';
  const { value: body, duplicateFields } = decodePatch(raw, mediaType, duplicates);
  const problems =
    mediaType === JSON_PATCH && duplicates
      ? [...duplicateFields, ...unknownMembers(body)].map((problem) => `json patch ${problem}`)
      : duplicateFields;
  return { mediaType, body, problems, options, force: isTrue(force) };
}

function unknownMembers(operations: unknown): string[] {
  if (!Array.isArray(operations)) return [];
  return operations.flatMap((operation: unknown, index) =>
    isDictionary(operation)
      ? Object.keys(operation)
          .filter((key) => !OPERATION_MEMBERS.includes(key))
          .map((key) => `unknown field "[${index}].${key}"`)
      : [],
  );
}

/** Throws StatusError 415, of a built-in kind in the words of the router that finds no route for any of the listed types. */
function patchTypeOf(contentType: string, custom: boolean): string {
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(custom ? [] : [STRATEGIC_PATCH]), APPLY_PATCH];
  const cut = (text: string) => text.split(';', 1)[0] ?? '';
  const mediaType = cut(contentType);
  if (accepted.includes(mediaType)) return mediaType;
  if (custom || contentType.split(',').some((one) => accepted.includes(cut(one)))) throw unsupportedMediaType(accepted);
  throw new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: '415: Unsupported Media Type',
    details: {},
  });
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

/** Custom resources have no strategic merge: nothing says how their lists merge. */
export function isCustom(definition: KindDefinition): boolean {
  return definition.schema.name === undefined;
}
