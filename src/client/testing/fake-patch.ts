import { badRequest } from '../../apimachinery/status-error.ts';

type Json = Record<string, unknown>;

/** Lists that a strategic merge patch joins by key instead of replacing them. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  conditions: 'type',
  ownerReferences: 'uid',
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  imagePullSecrets: 'name',
};

/** Applies a patch by its content type: JSON (add, replace, remove, test), merge, and strategic for the common lists. */
export function applyFakePatch(document: Json, contentType: string, patch: unknown): Json {
  switch (contentType) {
    case 'application/json-patch+json':
      return jsonPatch(structuredClone(document), patch as readonly { op: string; path: string; value?: unknown }[]);
    case 'application/merge-patch+json':
      return merge(document, patch as Json, false);
    case 'application/strategic-merge-patch+json':
    case 'application/apply-patch+yaml':
      return merge(document, patch as Json, true);
    default:
      throw badRequest(`unknown patch type ${contentType}`);
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(document: unknown, patch: unknown, strategic: boolean): Json {
  const result: Json = isObject(document) ? { ...document } : {};
  for (const [name, value] of Object.entries(patch as Json)) {
    if (name.startsWith('$')) continue;
    if (value === null) delete result[name];
    else if (isObject(value)) result[name] = merge(result[name], value, strategic);
    else if (strategic && Array.isArray(value)) result[name] = mergeList(name, result[name], value);
    else result[name] = value;
  }
  if (strategic)
    for (const [name, value] of Object.entries(patch as Json)) {
      const list = name.startsWith('$deleteFromPrimitiveList/')
        ? name.slice('$deleteFromPrimitiveList/'.length)
        : undefined;
      if (list && Array.isArray(result[list]))
        result[list] = (result[list] as unknown[]).filter((item) => !(value as unknown[]).includes(item));
    }
  return result;
}

function mergeList(name: string, old: unknown, items: unknown[]): unknown[] {
  const result = Array.isArray(old) ? [...old] : [];
  if (name === 'finalizers') return [...new Set([...result, ...items])];
  const key = MERGE_KEYS[name];
  if (!key) return items;
  for (const item of items as Json[]) {
    const at = result.findIndex((existing) => (existing as Json)[key] === item[key]);
    if (item.$patch === 'delete') {
      if (at >= 0) result.splice(at, 1);
    } else if (at >= 0) result[at] = merge(result[at], item, true);
    else result.push(item);
  }
  return result;
}

function jsonPatch(document: Json, operations: readonly { op: string; path: string; value?: unknown }[]): Json {
  for (const { op, path, value } of operations) {
    const steps = path
      .split('/')
      .slice(1)
      .map((step) => step.replace(/~1/g, '/').replace(/~0/g, '~'));
    const last = steps.pop() ?? '';
    let target: unknown = document;
    for (const step of steps) {
      target = (target as Json | undefined)?.[step];
      if (target === undefined) throw badRequest(`the path ${path} does not exist`);
    }
    const holder = target as Json & unknown[];
    if (op === 'test') {
      if (JSON.stringify(holder[last as never]) !== JSON.stringify(value))
        throw badRequest(`testing value ${path} failed`);
    } else if (Array.isArray(target)) {
      const index = last === '-' ? target.length : Number(last);
      if (op === 'remove') target.splice(index, 1);
      else target.splice(index, op === 'replace' ? 1 : 0, value);
    } else if (op === 'remove') delete holder[last as never];
    else (holder as Json)[last] = value;
  }
  return document;
}
