import { type FieldError, FieldPath, forbiddenField, invalidValue } from '../../apimachinery/field.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import { type Expression, ExpressionCompiler } from '../cel/expression.ts';
import { dyn, type StaticType, scalar } from '../cel/schema-types.ts';
import { analyse } from '../cel/static-check.ts';

type Fields = Readonly<Record<string, unknown>>;

const maxExpressionBytes = 10 * 1024;
/** As upstream estimates it, for one device. */
const maxCost = 1_000_000;
/** Attributes and capacities of one device. */
const maxProperties = 32;

const byDomain: StaticType = {
  kind: 'map',
  size: maxProperties,
  item: () => ({ kind: 'map', size: maxProperties, item: () => dyn }),
};
const device: Readonly<Record<string, StaticType>> = {
  driver: { kind: 'string', size: 63 },
  attributes: byDomain,
  capacity: byDomain,
  allowMultipleAllocations: scalar('bool'),
};
const scope: ReadonlyMap<string, StaticType> = new Map([
  ['device', { kind: 'object', field: (name) => (Object.hasOwn(device, name) ? device[name] : undefined) }],
]);

/** Of a class, a claim or a template of one. Its form may be wrong: that is for others to say. */
export function checkDeviceSelectors(spec: unknown): FieldError[] {
  const compiler = new ExpressionCompiler(['device']);
  const errors: FieldError[] = [];
  const check = (owner: Fields, path: FieldPath) =>
    each(owner.selectors, path.child('selectors'), ({ cel }, at) => {
      if (isDictionary(cel)) errors.push(...checkSelector(compiler, cel.expression, at.child('cel', 'expression')));
    });
  const visit = (given: unknown, path: FieldPath): void => {
    if (!isDictionary(given)) return;
    check(given, path);
    if (isDictionary(given.devices))
      each(given.devices.requests, path.child('devices', 'requests'), (request, at) => {
        if (isDictionary(request.exactly)) check(request.exactly, at.child('exactly'));
        each(request.firstAvailable, at.child('firstAvailable'), check);
      });
    visit(given.spec, path.child('spec'));
  };
  visit(spec, FieldPath.of('spec'));
  return errors;
}

function checkSelector(compiler: ExpressionCompiler, source: unknown, path: FieldPath): FieldError[] {
  if (typeof source !== 'string' || source.trim() === '' || Buffer.byteLength(source) > maxExpressionBytes) return [];
  let expression: Expression;
  let result: ReturnType<typeof analyse>;
  try {
    expression = compiler.compile(source);
    result = analyse(expression, scope);
  } catch (error) {
    return [invalidValue(path, source, `compilation failed: ${(error as Error).message}`)];
  }
  const type = result.type.kind === 'dyn' ? expression.type.replace(/<.*$/, '') : result.type.kind;
  if (neverBool.has(type))
    return [invalidValue(path, source, `must evaluate to bool or the unknown type, not ${type}`)];
  return result.cost > maxCost ? [forbiddenField(path, 'too complex, exceeds cost limit')] : [];
}

const neverBool = new Set(['int', 'uint', 'double', 'string', 'bytes', 'list', 'map', 'timestamp', 'duration']);

function each(value: unknown, path: FieldPath, visit: (item: Fields, path: FieldPath) => void): void {
  if (!Array.isArray(value)) return;
  value.forEach((item: unknown, index) => {
    if (isDictionary(item)) visit(item, path.index(index));
  });
}
