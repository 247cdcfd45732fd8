import { deepEqual } from '../deep-equal.ts';
import { draft, type JSONValue } from '../json.ts';
import { isDictionary, setKey } from '../schema-walk.ts';
import { badRequest, StatusError } from '../status-error.ts';

/** More operations are refused, as Kubernetes does. */
const MAX_OPERATIONS = 10_000;
/** How many bytes of JSON, about, the `copy` operations of a patch may add: as many as a request may have. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

type Json = JSONValue | undefined;
type Container = Record<string, Json> | Json[];
type Operation = Readonly<Record<string, JSONValue>>;

/**
 * RFC 6902 as the library has it that Kubernetes uses: indices may count from the end, `replace` sets a member that is not
 * there, and an absent `value` is null. The document is not changed. Throws StatusError: 400 for what is no patch, 422 for
 * one that does not fit the document (a failed `test`, a missing path).
 */
export function applyJsonPatch(document: unknown, operations: unknown): JSONValue {
  if (!Array.isArray(operations)) throw cannotDecode(operations, 'type []handlers.jsonPatchOp');
  if (operations.length > MAX_OPERATIONS) {
    throw new StatusError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}`,
    });
  }
  for (const operation of operations) checkOperation(operation);
  const state: State = { root: draft(document) as Json, copied: 0 };
  for (const operation of operations as Operation[]) apply(state, operation);
  return state.root as JSONValue;
}

interface State {
  root: Json;
  copied: number;
}

function checkOperation(operation: unknown): void {
  if (!isDictionary(operation)) throw cannotDecode(operation, 'type handlers.jsonPatchOp');
  for (const member of ['op', 'path', 'from']) {
    const value = operation[member];
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw cannotDecode(value, `struct field jsonPatchOp.${member} of type string`);
  }
}

function cannotDecode(value: unknown, into: string): StatusError {
  const seen = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const place = into.startsWith('type') ? `value of ${into}` : into;
  return badRequest(`error decoding patch: json: cannot unmarshal ${seen} into Go ${place}`);
}

function apply(state: State, operation: Operation): void {
  const op = operation.op ?? 'unknown';
  const value = () => draft(operation.value ?? null) as Json;
  switch (op) {
    case 'add': {
      const { path } = operation;
      if (typeof path !== 'string') throw cannotApply('add operation failed to decode path: missing value');
      add(
        memberAt(state, path, `add operation does not apply: doc is missing path: "${path}"`),
        value(),
        (why) => `error in add for path: '${path}': ${why}`,
      );
      return;
    }
    case 'remove': {
      const { path } = operation;
      if (typeof path !== 'string') throw cannotApply('remove operation failed to decode path: missing value');
      const member = memberAt(state, path, `remove operation does not apply: doc is missing path: "${path}"`);
      remove(member, (why) => `error in remove for path: '${path}': ${why}`);
      return;
    }
    case 'replace':
      replace(state, pathOf(operation, op), value());
      return;
    case 'move': {
      const from = fromOf(operation, op);
      const source = memberAt(state, from, `move operation does not apply: doc is missing from path: ${from}`);
      const inMove = (key: string) => (why: string) => `error in move for path: '${key}': ${why}`;
      const moved = get(source, inMove(source.key));
      remove(source, inMove(source.key));
      const path = pathOf(operation, op);
      add(destination(state, path, op), moved ?? null, inMove(path));
      return;
    }
    case 'copy': {
      const from = fromOf(operation, op);
      const source = memberAt(state, from, `copy operation does not apply: doc is missing from path: ${from}`);
      const copied = get(source, (why) => `error in copy for from: '${from}': ${why}`) ?? null;
      const target = destination(state, pathOf(operation, op), op);
      state.copied += sizeOf(copied);
      if (state.copied > MAX_COPIED_BYTES)
        throw cannotApply(
          `Unable to complete the copy, the accumulated size increase of copy is ${state.copied}, exceeding the limit ${MAX_COPIED_BYTES}`,
        );
      add(target, draft(copied) as Json, (why) => `error while adding value during copy: ${why}`);
      return;
    }
    case 'test':
      test(state, pathOf(operation, op), operation.value ?? null);
      return;
    default:
      throw cannotApply(`Unexpected kind: ${String(op)}`);
  }
}

function replace(state: State, path: string, value: Json): void {
  if (path === '') {
    if (typeof value !== 'object' || value === null)
      throw cannotApply('replace operation value must be object or array: %!w(<nil>)');
    state.root = value;
    return;
  }
  const member = memberAt(state, path, `replace operation does not apply: doc is missing path: ${path}`);
  get(member, () => `replace operation does not apply: doc is missing key: ${path}: missing value`);
  const { container, key } = member;
  if (Array.isArray(container)) container[indexOf(member, container.length)] = value;
  else setKey(container, key, value);
}

function test(state: State, path: string, expected: JSONValue): void {
  const found =
    path === ''
      ? state.root
      : get(
          memberAt(state, path, `test operation does not apply: is missing path: ${path}`),
          (why) => `error in test for path: '${path}': ${why}`,
        );
  if (!deepEqual(found ?? null, expected)) throw cannotApply(`testing value ${path} failed: test failed`);
}

function pathOf({ path }: Operation, op: string): string {
  if (typeof path === 'string') return path;
  throw cannotApply(`${op} operation failed to decode path: operation missing path field: missing value`);
}

function fromOf({ from }: Operation, op: string): string {
  if (typeof from === 'string') return from;
  throw cannotApply(`${op} operation failed to decode from: operation, missing from field: missing value`);
}

/** Kubernetes says no more than its message; the reason stays in the process. */
function cannotApply(reason: string): StatusError {
  const error = new StatusError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: {},
  });
  error.cause = reason;
  return error;
}

/** Where a path leads: the object or list, and the key in it, which need not be there. */
interface Member {
  readonly container: Container;
  readonly key: string;
}

function memberAt({ root }: State, path: string, missing: string): Member {
  const parts = path
    .split('/')
    .slice(1)
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
  let container = root;
  for (const key of parts.slice(0, -1)) {
    if (!isContainer(container)) break;
    container = Array.isArray(container) ? container[toIndex(key, container.length) ?? -1] : ownMember(container, key);
  }
  const key = parts.at(-1);
  if (key === undefined || !isContainer(container)) throw cannotApply(`${missing}: missing value`);
  return { container, key };
}

const destination = (state: State, path: string, op: string) =>
  memberAt(state, path, `${op} operation does not apply: doc is missing destination path: ${path}`);

function isContainer(value: Json | Container): value is Container {
  return typeof value === 'object' && value !== null;
}

function ownMember(container: Record<string, Json>, key: string): Json {
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

type Wording = (why: string) => string;

function get(member: Member, wording: Wording): Json {
  const { container, key } = member;
  return Array.isArray(container) ? container[indexOf(member, container.length, wording)] : ownMember(container, key);
}

function add(member: Member, value: Json, wording: Wording): void {
  const { container, key } = member;
  if (!Array.isArray(container)) setKey(container, key, value);
  else if (key === '-') container.push(value);
  else {
    const improper: Wording = (why) =>
      wording(why.startsWith('strconv') ? `value was not a proper array index: '${key}': ${why}` : why);
    container.splice(indexOf(member, container.length + 1, improper), 0, value);
  }
}

function remove(member: Member, wording: Wording): void {
  const { container, key } = member;
  if (Array.isArray(container)) {
    container.splice(indexOf(member, container.length, wording), 1);
    return;
  }
  if (!Object.hasOwn(container, key))
    throw cannotApply(wording(`Unable to remove nonexistent key: ${key}: missing value`));
  delete container[key];
}

function indexOf({ key }: Member, length: number, wording: Wording = (why) => why): number {
  const index = toIndex(key, length);
  if (index === undefined) throw cannotApply(wording(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`));
  if (index < 0 || index >= length)
    throw cannotApply(wording(`Unable to access invalid index: ${Number(key)}: invalid index referenced`));
  return index;
}

/** Negative indices count from the end. */
function toIndex(key: string, length: number): number | undefined {
  if (!/^[-+]?\d{1,9}$/.test(key)) return undefined;
  const index = Number(key);
  return index < 0 ? index + length : index;
}

function sizeOf(value: Json): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 5;
  let size = 2;
  for (const key of Object.keys(value)) size += key.length + 3 + sizeOf((value as Record<string, Json>)[key]);
  return size;
}
