import type { JSONObject } from '../json.ts';

/**
 * A set of field paths, kept in its wire form (FieldsV1): a tree whose keys are path elements (`f:name`, `k:{"name":"a"}`,
 * `v:"x"`, `i:0`). A node without children is a member; one with children is a member when it has the key `.`.
 * The root is never a member. Sets are immutable and share their parts.
 */
export type FieldSet = JSONObject;

type MutableSet = Record<string, FieldSet>;

export const emptySet: FieldSet = Object.freeze({});
/** The node of a member without children. */
export const leaf: FieldSet = Object.freeze({});

export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

function isMember(node: FieldSet): boolean {
  return '.' in node || isEmpty(node);
}

/** `undefined` when nothing is left. */
function nodeOf(member: boolean, children: FieldSet): FieldSet | undefined {
  if (isEmpty(children)) return member ? leaf : undefined;
  return member ? { '.': leaf, ...children } : children;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  return unionChildren(a, b);
}

function unionChildren(a: FieldSet, b: FieldSet): MutableSet {
  const result: MutableSet = {};
  for (const key in a) if (key !== '.') result[key] = a[key] as FieldSet;
  for (const key in b) {
    if (key === '.') continue;
    const mine = result[key];
    const theirs = b[key] as FieldSet;
    result[key] = mine === undefined || mine === theirs ? theirs : unionNodes(mine, theirs);
  }
  return result;
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  return nodeOf(isMember(a) || isMember(b), unionChildren(a, b)) ?? leaf;
}

/** Members of `a` that are not members of `b`; `a` itself when that is all of them. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  return differenceChildren(a, b) ?? a;
}

/** `undefined`: nothing changed. */
function differenceChildren(a: FieldSet, b: FieldSet): MutableSet | undefined {
  let result: MutableSet | undefined;
  for (const key in b) {
    if (key === '.' || !(key in a)) continue;
    const mine = a[key] as FieldSet;
    const rest = differenceNodes(mine, b[key] as FieldSet);
    if (rest === mine) continue;
    result ??= copyOf(a);
    if (rest === undefined) delete result[key];
    else result[key] = rest;
  }
  if (result) delete result['.'];
  return result;
}

function copyOf(set: FieldSet): MutableSet {
  return { ...set } as MutableSet;
}

function differenceNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const was = isMember(a);
  const member = was && !isMember(b);
  const children = differenceChildren(a, b);
  if (!children && member === was) return a;
  return nodeOf(member, children ?? childrenOf(a));
}

function childrenOf(node: FieldSet): MutableSet {
  const result = copyOf(node);
  delete result['.'];
  return result;
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result: MutableSet = {};
  for (const key in a) {
    if (key === '.' || !(key in b)) continue;
    const mine = a[key] as FieldSet;
    const theirs = b[key] as FieldSet;
    const common =
      mine === theirs ? mine : nodeOf(isMember(mine) && isMember(theirs), intersection(mine, theirs) as MutableSet);
    if (common) result[key] = common;
  }
  return result;
}

/** Without the given paths and all below them. A path is a list of field names. */
export function withoutPaths(set: FieldSet, paths: readonly (readonly string[])[]): FieldSet {
  let result = set;
  for (const path of paths) result = withoutPath(result, path, 0) ?? emptySet;
  return result;
}

function withoutPath(node: FieldSet, path: readonly string[], depth: number): FieldSet | undefined {
  const key = `f:${path[depth]}`;
  if (!(key in node)) return node;
  const below = depth === path.length - 1 ? undefined : withoutPath(node[key] as FieldSet, path, depth + 1);
  if (below === node[key]) return node;
  const result = copyOf(node);
  if (below) result[key] = below;
  else delete result[key];
  return isEmpty(result) ? undefined : result;
}

/** Only what is at one of `paths`, above it or below it; `*` stands for any one element. */
export function onlyPaths(set: FieldSet, paths: readonly (readonly string[])[]): FieldSet {
  const result: MutableSet = {};
  for (const key in set) {
    if (key === '.') continue;
    const below = paths.filter(([first]) => first === '*' || key === `f:${first}`).map((path) => path.slice(1));
    if (below.length === 0) continue;
    const node = set[key] as FieldSet;
    const kept = below.some((path) => path.length === 0) ? node : nodeOf(isMember(node), onlyPaths(node, below));
    if (kept) result[key] = kept;
  }
  return result;
}

/** The node below `key`, and whether that path itself is a member. */
export function step(set: FieldSet, key: string): { node: FieldSet; member: boolean } | undefined {
  const node = set[key] as FieldSet | undefined;
  return node === undefined || key === '.' ? undefined : { node, member: isMember(node) };
}

/** With its keys in order, `.` first, as it goes on the wire. */
export function sorted(set: FieldSet): FieldSet {
  const keys = Object.keys(set);
  if (keys.length === 0) return leaf;
  keys.sort();
  const result: MutableSet = {};
  for (const key of keys) result[key] = sorted(set[key] as FieldSet);
  return result;
}

/** The paths of all members, as messages print them: `.spec.containers[name="web"].image`. */
export function memberPaths(set: FieldSet): string[] {
  const paths: string[] = [];
  collect(set, '', paths);
  return paths;
}

function collect(set: FieldSet, prefix: string, paths: string[]): void {
  for (const key of Object.keys(set).sort()) {
    if (key === '.') continue;
    const path = prefix + showElement(key);
    const node = set[key] as FieldSet;
    if (isMember(node)) paths.push(path);
    collect(node, path, paths);
  }
}

function showElement(element: string): string {
  const body = element.slice(2);
  if (element.startsWith('f:')) return `.${body}`;
  if (element.startsWith('v:')) return `[=${body}]`;
  if (!element.startsWith('k:')) return `[${body}]`;
  try {
    const key = JSON.parse(body) as Record<string, unknown>;
    return `[${Object.keys(key)
      .map((name) => `${name}=${JSON.stringify(key[name])}`)
      .join(',')}]`;
  } catch {
    return `[${body}]`;
  }
}

/** Whether a value is a FieldsV1 tree. */
export function isFieldSet(value: unknown): value is FieldSet {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const key in value) {
    if (key !== '.' && (key[1] !== ':' || !'fkvi'.includes(key[0] as string))) return false;
    if (!isFieldSet((value as Record<string, unknown>)[key])) return false;
  }
  return true;
}
