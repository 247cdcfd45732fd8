import { deepEqual } from '../deep-equal.ts';
import { draft, type JSONValue } from '../json.ts';
import { setKey } from '../schema-walk.ts';
import { badRequest, StatusError } from '../status-error.ts';

/** More operations are refused, as Kubernetes does. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** How many bytes of JSON, about, the `copy` operations of a patch may add: as many as a request may have. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

type Json = JSONValue | undefined;
type Container = Record<string, Json> | Json[];

interface Operation {
  readonly op?: unknown;
  readonly path?: unknown;
  readonly from?: unknown;
  readonly value?: JSONValue;
}

/**
 * RFC 6902. The document is not changed. Throws StatusError: 400 for what is no patch, 422 for one that does not fit the
 * document (a failed `test`, a missing path).
 */
export function applyJsonPatch(document: unknown, operations: unknown): JSONValue {
  if (!Array.isArray(operations))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []interface {}');
  if (operations.length > MAX_JSON_PATCH_OPERATIONS) {
    throw new StatusError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${operations.length}`,
    });
  }
  const state: State = { root: draft(document) as Json, copied: 0 };
  for (const operation of operations as Operation[]) apply(state, operation);
  return state.root as JSONValue;
}

interface State {
  root: Json;
  copied: number;
}

function apply(state: State, operation: Operation): void {
  if (typeof operation !== 'object' || operation === null || Array.isArray(operation))
    throw badRequest('error decoding patch: json: cannot unmarshal array into Go value of type jsonpatch.Operation');
  const { op, value } = operation;
  if (typeof op !== 'string') throw cannotApply('Unexpected kind: unknown');
  const path = pointer(operation.path, `${op} operation`);
  const hasValue = Object.hasOwn(operation, 'value');
  switch (op) {
    case 'add':
      if (!hasValue) throw cannotApply(`${op} operation missing value field: missing value`);
      add(state, path, draft(value) as Json, 'add');
      return;
    case 'remove':
      remove(state, path, 'remove');
      return;
    case 'replace': {
      if (!hasValue) throw cannotApply(`${op} operation missing value field: missing value`);
      if (path.length === 0) {
        state.root = draft(value) as Json;
        return;
      }
      if (find(state, path) === undefined)
        throw cannotApply(`replace operation does not apply: doc is missing key: ${text(path)}: missing value`);
      const { container, key } = parent(state, path, 'replace');
      put(container, key, draft(value) as Json);
      return;
    }
    case 'move': {
      const from = pointer(operation.from, 'move operation', 'from');
      if (path.length > from.length && from.every((part, index) => part === path[index]))
        throw cannotApply('move operation does not apply: cannot move a value into itself');
      const moved = find(state, from);
      if (moved === undefined) throw missing('move', from);
      remove(state, from, 'move');
      add(state, path, moved, 'move');
      return;
    }
    case 'copy': {
      const from = pointer(operation.from, 'copy operation', 'from');
      const source = find(state, from);
      if (source === undefined) throw missing('copy', from);
      state.copied += sizeOf(source);
      if (state.copied > MAX_COPIED_BYTES)
        throw cannotApply('Unable to complete the copy, the accumulated size increase of copy is too large');
      add(state, path, draft(source) as Json, 'copy');
      return;
    }
    case 'test': {
      const found = find(state, path);
      if (deepEqual(found ?? null, value ?? null)) return;
      throw cannotApply(
        `testing path ${text(path)} failed${found === undefined ? ': missing value' : ''}: test failed`,
      );
    }
    default:
      throw cannotApply(`Unexpected kind: ${op}`);
  }
}

/** Kubernetes says no more than its message; the cause holds the reason. */
function cannotApply(reason: string): StatusError {
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: { causes: [{ reason: 'UnexpectedServerResponse', message: reason }] },
  });
}

function missing(op: string, path: readonly string[]): StatusError {
  return cannotApply(`${op} operation does not apply: doc is missing path: ${text(path)}: missing value`);
}

function text(path: readonly string[]): string {
  return path.map((part) => `/${part.replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
}

function pointer(value: unknown, subject: string, member = 'path'): string[] {
  if (typeof value !== 'string') throw cannotApply(`${subject} missing ${member} field: missing value`);
  if (value === '') return [];
  if (!value.startsWith('/'))
    throw cannotApply(`${subject} does not apply: doc is missing path: ${JSON.stringify(value)}: missing value`);
  return value
    .slice(1)
    .split('/')
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
}

function child(container: Json, key: string): Json {
  if (Array.isArray(container)) {
    const index = toIndex(key, container.length);
    return index === undefined ? undefined : (container[index] as Json);
  }
  if (typeof container !== 'object' || container === null) return undefined;
  return Object.hasOwn(container, key) ? (container as Record<string, Json>)[key] : undefined;
}

/** Negative indices count from the end, as the library that Kubernetes uses has it. */
function toIndex(key: string, length: number): number | undefined {
  if (!/^(-?[1-9]\d{0,8}|0)$/.test(key)) return undefined;
  const index = Number(key);
  return index < 0 ? index + length : index;
}

function find(state: State, path: readonly string[]): Json {
  let value = state.root;
  for (const part of path) value = child(value, part);
  return value;
}

function parent(state: State, path: readonly string[], op: string): { container: Container; key: string } {
  const container = find(state, path.slice(0, -1));
  if (typeof container !== 'object' || container === null) throw missing(op, path);
  return { container: container as Container, key: path[path.length - 1] as string };
}

function put(container: Container, key: string, value: Json): void {
  if (Array.isArray(container)) container[toIndex(key, container.length) as number] = value;
  else setKey(container, key, value);
}

function add(state: State, path: readonly string[], value: Json, op: string): void {
  if (path.length === 0) {
    state.root = value;
    return;
  }
  const { container, key } = parent(state, path, op);
  if (!Array.isArray(container)) {
    setKey(container, key, value);
    return;
  }
  if (key === '-') {
    container.push(value);
    return;
  }
  const negative = key.startsWith('-');
  const index = toIndex(key, negative ? container.length + 1 : container.length);
  if (index === undefined)
    throw cannotApply(
      `${op} operation does not apply: doc is missing path: ${JSON.stringify(text(path))}: strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`,
    );
  if (index < 0 || index > container.length)
    throw cannotApply(
      `${op} operation does not apply: doc is missing path: ${JSON.stringify(text(path))}: Unable to access invalid index: ${key}: invalid index referenced`,
    );
  container.splice(index, 0, value);
}

function remove(state: State, path: readonly string[], op: string): void {
  if (path.length === 0) {
    state.root = null;
    return;
  }
  const { container, key } = parent(state, path, op);
  if (Array.isArray(container)) {
    const index = toIndex(key, container.length);
    if (index === undefined || index < 0 || index >= container.length)
      throw cannotApply(
        `${op} operation does not apply: doc is missing path: ${JSON.stringify(text(path))}: Unable to access invalid index: ${key}: invalid index referenced`,
      );
    container.splice(index, 1);
  } else {
    if (!Object.hasOwn(container, key))
      throw cannotApply(
        `${op} operation does not apply: doc is missing path: ${JSON.stringify(text(path))}: Unable to remove nonexistent key: ${key}: missing value`,
      );
    delete container[key];
  }
}

function sizeOf(value: Json): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 5;
  let size = 2;
  for (const key of Object.keys(value)) size += key.length + 3 + sizeOf((value as Record<string, Json>)[key]);
  return size;
}
