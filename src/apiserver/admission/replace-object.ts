import type { KindRegistry } from '../../api/kind.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../sdk/admission.ts';
import { decodeObject } from '../registry/read-object.ts';
import { convertTo } from './matching/equivalents.ts';
import type { RequestMatch } from './matching/request-match.ts';

/**
 * Changes the object of a request by way of the form in which `match` has it: `change` gets that form and returns the new one.
 * Returns whether anything changed. Throws StatusError when what it becomes is not of its kind.
 */
export async function replaceObject(
  kinds: KindRegistry,
  attributes: AdmissionAttributes,
  match: RequestMatch,
  object: Draft<UnstructuredObject>,
  change: (object: UnstructuredObject) => Draft<UnstructuredObject> | Promise<Draft<UnstructuredObject>>,
): Promise<boolean> {
  const { group, version, resource } = attributes.resource;
  const own = kinds.byResource(group, version, resource);
  const seen = match.definition ?? own;
  const converts = match.definition !== undefined && own !== undefined;
  const before = converts ? await convertTo(object as UnstructuredObject, own, match.definition) : object;
  const changed = await change(before as UnstructuredObject);
  // What a subresource takes (an Eviction, a Scale) is not of the resource's kind.
  const decoded = seen && changed.kind === seen.kind ? decodeObject(changed, seen, 'Ignore', [], []) : changed;
  const result = converts ? await convertTo(decoded as UnstructuredObject, match.definition, own) : decoded;
  if (deepEqual(result, object)) return false;
  for (const key of Object.keys(object)) delete (object as Record<string, unknown>)[key];
  Object.assign(object, result);
  return true;
}
