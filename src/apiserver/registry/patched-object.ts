import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { goString } from '../../apimachinery/go-string.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { applyJsonPatch } from '../../apimachinery/patch/json-patch.ts';
import { applyMergePatch } from '../../apimachinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../apimachinery/patch/strategic-merge.ts';
import { invalid, isStatusError } from '../../apimachinery/status-error.ts';
import { JSON_PATCH, MERGE_PATCH, type PatchRequest } from './patch-request.ts';
import { type DecodeTarget, decodeValue, Undecodable } from './read-object.ts';

/**
 * The object that a JSON, merge or strategic merge patch makes of `document`, which is not changed. Throws StatusError:
 * what the patch itself is refused with, or 422 of the field `patch` when the result is no object of the kind.
 */
export function patchedObject(
  patch: PatchRequest,
  document: object,
  target: DecodeTarget,
  warnings: string[],
): Draft<UnstructuredObject> {
  const strategic = patch.mediaType !== JSON_PATCH && patch.mediaType !== MERGE_PATCH;
  const patched = draft(withPatch(document, patch, target)) as Record<string, unknown> | null;
  // The result of a strategic merge patch is of the type that was patched, whatever the patch calls it.
  if (strategic)
    Object.assign(patched ?? {}, { apiVersion: apiVersionOf(target.group, target.version), kind: target.kind });
  try {
    return decodeValue(patched, target, patch.options.fieldValidation, patch.problems, warnings);
  } catch (error) {
    if (!(error instanceof Undecodable) && !isStatusError(error, 'BadRequest')) throw error;
    const why = strategic && error instanceof Undecodable ? error.conversion : error.message;
    // Decoding has changed the object: to tell what it was, it is made again.
    const shown = strategic ? goString(patch.body) : JSON.stringify(withPatch(document, patch, target));
    throw invalid({ group: '', kind: '' }, '', [invalidValue(FieldPath.of('patch'), shown, why)]);
  }
}

function withPatch(document: object, { mediaType, body }: PatchRequest, { schema }: DecodeTarget): unknown {
  switch (mediaType) {
    case JSON_PATCH:
      return applyJsonPatch(document, body);
    case MERGE_PATCH:
      return applyMergePatch(document, body);
    default:
      return applyStrategicMergePatch(document, body, schema);
  }
}
