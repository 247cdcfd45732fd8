import { deepEqual } from '../deep-equal.ts';
import { draft, type JSONValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { type Dictionary, isDictionary, setKey } from '../schema-walk.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { inElementOrder } from './element-order.ts';

/** The directives of a strategic merge patch. */
const PATCH = '$patch';
const RETAIN_KEYS = '$retainKeys';
const ELEMENT_ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

/**
 * Kubernetes' strategic merge patch: as a merge patch, but lists merge as their patchStrategy and patchMergeKey say, and
 * directives delete, replace and order. The document is not changed; unchanged parts are shared with it. Throws StatusError.
 */
export function applyStrategicMergePatch(document: unknown, patch: unknown, schema: Schema): JSONValue {
  if (!isDictionary(patch)) throw badRequest('invalid JSON document');
  return mergeMaps(isDictionary(document) ? document : {}, patch, schema) as JSONValue;
}

function mergeMaps(original: Dictionary, patch: Dictionary, schema: Schema | undefined): Dictionary {
  switch (patch[PATCH]) {
    case undefined:
    case 'merge':
      break;
    case 'replace':
      return withoutDirectives({ ...patch, [PATCH]: undefined }) as Dictionary;
    case 'delete':
      return {};
    default:
      throw unprocessable(`unknown patch type: ${String(patch[PATCH])} in map: ${JSON.stringify(patch)}`);
  }
  const result = retained(original, patch);
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(ELEMENT_ORDER)) continue;
    const name = key.slice(ELEMENT_ORDER.length);
    const order = patch[key];
    if (!Array.isArray(order) || name === '') throw badRequest('invalid patch format of setElementOrder list');
    const list = orderedList(result, patch, name, order, schema);
    if (list) setKey(result, name, list);
  }
  for (const key of Object.keys(patch)) {
    if (key === PATCH || key === RETAIN_KEYS || key.startsWith(ELEMENT_ORDER)) continue;
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const name = key.slice(DELETE_PRIMITIVES.length);
      const values = patch[key];
      if (!Array.isArray(values) || name === '') throw badRequest('invalid patch format of primitive list');
      const current = own(result, name);
      if (Array.isArray(current))
        setKey(
          result,
          name,
          current.filter((item) => !values.some((value) => deepEqual(value, item))),
        );
      continue;
    }
    const value = patch[key];
    if (value === null) delete result[key];
    else if (!Object.hasOwn(patch, ELEMENT_ORDER + key))
      setKey(result, key, mergeValues(own(result, key), value, fieldOf(schema, key)));
  }
  return result;
}

function own(object: Dictionary, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function fieldOf(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.fields?.().get(key)?.schema ?? schema?.items?.();
}

function strategyOf(schema: Schema | undefined): { merges: boolean; replaces: boolean } {
  const strategies = schema?.patchStrategy?.split(',') ?? [];
  return { merges: strategies.includes('merge'), replaces: strategies.includes('replace') };
}

function mergeValues(original: unknown, patch: unknown, schema: Schema | undefined): unknown {
  if (isDictionary(original) && isDictionary(patch))
    return strategyOf(schema).replaces ? withoutDirectives(patch) : mergeMaps(original, patch, schema);
  if (Array.isArray(original) && Array.isArray(patch))
    return strategyOf(schema).merges ? mergeLists(original, patch, schema as Schema) : draft(patch);
  return withoutDirectives(patch);
}

/** `$retainKeys`: what of the original stays. */
function retained(original: Dictionary, patch: Dictionary): Dictionary {
  const result: Dictionary = {};
  const keep = patch[RETAIN_KEYS];
  if (keep !== undefined) {
    if (!Array.isArray(keep)) throw badRequest('invalid patch format of retainKeys');
    for (const key of Object.keys(patch)) {
      if (!key.startsWith('$') && patch[key] !== null && !keep.includes(key))
        throw badRequest('invalid patch format of retainKeys');
    }
  }
  for (const key of Object.keys(original))
    if (keep === undefined || (keep as unknown[]).includes(key)) setKey(result, key, original[key]);
  return result;
}

function orderedList(
  original: Dictionary,
  patch: Dictionary,
  name: string,
  order: readonly unknown[],
  schema: Schema | undefined,
): unknown[] | undefined {
  const current = own(original, name);
  const patched = own(patch, name);
  if (current !== undefined && !Array.isArray(current)) throw wrongType(current);
  if (patched !== undefined && patched !== null && !Array.isArray(patched)) throw wrongType(patched);
  const field = fieldOf(schema, name);
  const mergeKey = field?.patchMergeKey;
  if (patched) checkOrder(patched, order, mergeKey);
  let merged: unknown[];
  if (current && patched) merged = mergeValues(current, patched, field) as unknown[];
  else if (current) merged = current;
  else if (patched) merged = withoutDirectives(patched) as unknown[];
  else return undefined;
  return inElementOrder(merged, order, current ?? [], mergeKey);
}

function wrongType(value: unknown): StatusError {
  return badRequest(`expected a list, but received ${JSON.stringify(value)}`);
}

/** The patch must not contradict its own order. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  if (order.length === 0) return;
  let next = 0;
  for (const item of patch) {
    if (isDictionary(item) && PATCH in item) continue;
    while (next < order.length && !sameItem(item, order[next], mergeKey)) next++;
    if (next === order.length)
      throw badRequest(
        `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
      );
    next++;
  }
}

function sameItem(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey !== undefined && isDictionary(a) && isDictionary(b)) return deepEqual(a[mergeKey], b[mergeKey]);
  return deepEqual(a, b);
}

function mergeLists(original: readonly unknown[], patch: readonly unknown[], schema: Schema): unknown[] {
  const items = [...original, ...patch];
  if (items.some(Array.isArray)) throw unprocessable('lists of lists are not supported');
  if (!items.some(isDictionary)) {
    const merged = items.filter((item, index) => items.findIndex((other) => deepEqual(other, item)) === index);
    return inElementOrder(merged, patch, original, undefined);
  }
  const mergeKey = schema.patchMergeKey;
  if (mergeKey === undefined) throw unprocessable('cannot merge lists without merge key for type map');
  if (!items.every(isDictionary)) throw unprocessable(`list element types are not identical: ${JSON.stringify(items)}`);

  let merged = [...(original as Dictionary[])];
  const additions: Dictionary[] = [];
  let replaces = false;
  for (const item of patch as Dictionary[]) {
    const directive = item[PATCH];
    if (directive === undefined) additions.push(item);
    else if (directive === 'replace') replaces = true;
    else if (directive === 'delete') {
      const key = keyOf(item, mergeKey);
      merged = merged.filter((other) => !deepEqual(other[mergeKey], key));
    } else if (directive === 'merge') throw unprocessable('merging lists cannot yet be specified in the patch');
    else throw unprocessable(`unknown patch type: ${String(directive)} in map: ${JSON.stringify(item)}`);
  }
  if (replaces) return withoutDirectives(additions) as unknown[];
  const serverOrder = merged.slice();
  for (const item of additions) {
    const key = keyOf(item, mergeKey);
    const index = merged.findIndex((other) => deepEqual(other[mergeKey], key));
    if (index < 0) merged.push(withoutDirectives(item) as Dictionary);
    else merged[index] = mergeMaps(merged[index] as Dictionary, item, schema.items?.());
  }
  return inElementOrder(merged, additions, serverOrder, mergeKey);
}

function keyOf(item: Dictionary, mergeKey: string): unknown {
  if (!Object.hasOwn(item, mergeKey))
    throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
  return item[mergeKey];
}

/** A part of the patch that has no counterpart in the original, as it will be stored. */
function withoutDirectives(patch: unknown): unknown {
  if (Array.isArray(patch)) {
    return patch
      .filter((item) => !isDictionary(item) || item[PATCH] === undefined || item[PATCH] === 'merge')
      .map(withoutDirectives);
  }
  if (!isDictionary(patch)) return patch;
  if (patch[PATCH] === 'delete') return {};
  const result: Dictionary = {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null || value === undefined || key === PATCH || key === RETAIN_KEYS) continue;
    if (key.startsWith(ELEMENT_ORDER) || key.startsWith(DELETE_PRIMITIVES)) continue;
    setKey(result, key, withoutDirectives(value));
  }
  return result;
}

function unprocessable(reason: string): StatusError {
  const error = new StatusError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: {},
  });
  error.cause = reason;
  return error;
}
