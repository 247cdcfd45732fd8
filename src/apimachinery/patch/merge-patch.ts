import { draft, type JSONValue } from '../json.ts';
import { isDictionary, setKey } from '../schema-walk.ts';
import { badRequest } from '../status-error.ts';

/**
 * RFC 7386: `null` deletes, objects merge, all else replaces. As in the library that Kubernetes uses, objects in a list lose
 * their null members too, unless the list takes the place of an object. The document is not changed; unchanged parts are
 * shared with it.
 */
export function applyMergePatch(document: unknown, patch: unknown): JSONValue {
  if (!isDictionary(patch)) throw badRequest('error decoding patch: the patch must be a JSON object');
  return merge(document, patch) as JSONValue;
}

function merge(target: unknown, patch: unknown): unknown {
  if (Array.isArray(patch) && !isDictionary(target)) return patch.map((item) => merge(undefined, item));
  if (!isDictionary(patch)) return draft(patch);
  const result: Record<string, unknown> = {};
  if (isDictionary(target)) {
    for (const key of Object.keys(target)) {
      if (!Object.hasOwn(patch, key)) setKey(result, key, target[key]);
      else if (patch[key] !== null) setKey(result, key, merge(target[key], patch[key]));
    }
  }
  for (const key of Object.keys(patch)) {
    if (patch[key] !== null && !Object.hasOwn(result, key)) setKey(result, key, merge(undefined, patch[key]));
  }
  return result;
}
