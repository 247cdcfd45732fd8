import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import { ADMISSION_TYPES } from '../cel/admission-types.ts';
import { type Expression, ExpressionCompiler } from '../cel/expression.ts';
import { REQUEST_VARIABLES } from '../cel/request-variables.ts';
import { dyn, type StaticType } from '../cel/schema-types.ts';
import { analyse } from '../cel/static-check.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with the expressions of a webhook configuration or of a policy. Its form may be wrong: that is for others to say. */
export function checkExpressions({ spec, webhooks }: { spec?: unknown; webhooks?: unknown }): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, webhook] of listOf(webhooks).entries()) {
    const check = checker(new ExpressionCompiler(REQUEST_VARIABLES), errors, new Map(ADMISSION_TYPES));
    eachOf(webhook, 'matchConditions', FieldPath.of('webhooks').index(index), (condition, at) =>
      check(condition.expression, at.child('expression'), ['bool']),
    );
  }
  if (isDictionary(spec)) checkPolicy(spec, errors);
  return errors;
}

function checkPolicy(spec: Fields, errors: FieldError[]): void {
  const root = FieldPath.of('spec');
  const params = spec.paramKind ? ['params'] : [];
  const compiler = new ExpressionCompiler([...REQUEST_VARIABLES, ...params, 'namespaceObject', 'variables']);
  const declared = new Set<string>();
  const variables: StaticType = { kind: 'object', field: (name) => (declared.has(name) ? dyn : undefined) };
  const types = new Map([...ADMISSION_TYPES, ['variables', variables]] as const);
  const check = checker(compiler, errors, types);
  // A message is made without asking who may do what.
  const checkMessage = lazily(() =>
    checker(new ExpressionCompiler([...MESSAGE_VARIABLES, ...params, 'namespaceObject', 'variables']), errors, types),
  );
  // A variable may refer to those before it.
  eachOf(spec, 'variables', root, (variable, at) => {
    check(variable.expression, at.child('expression'), []);
    declared.add(String(variable.name));
  });
  eachOf(spec, 'matchConditions', root, ({ expression }, at) => check(expression, at.child('expression'), ['bool']));
  eachOf(spec, 'validations', root, ({ expression, messageExpression }, at) => {
    check(expression, at.child('expression'), ['bool']);
    if (messageExpression) checkMessage()(messageExpression, at.child('messageExpression'), ['string']);
  });
  eachOf(spec, 'auditAnnotations', root, ({ valueExpression }, at) =>
    check(valueExpression, at.child('valueExpression'), ['string', 'null']),
  );
  eachOf(spec, 'mutations', root, ({ applyConfiguration, jsonPatch }, at) => {
    for (const [field, given, types] of [
      ['applyConfiguration', applyConfiguration, ['map']],
      ['jsonPatch', jsonPatch, ['list']],
    ] as const)
      if (isDictionary(given)) check(given.expression, at.child(field, 'expression'), types);
  });
}

/** Checks one expression; `wanted`: the types it may have, any when empty. */
function checker(compiler: ExpressionCompiler, errors: FieldError[], scope: ReadonlyMap<string, StaticType>) {
  return (source: unknown, path: FieldPath, wanted: readonly string[]): void => {
    if (typeof source !== 'string' || source.trim() === '') return;
    let expression: Expression;
    let type: string;
    try {
      expression = compiler.compile(source);
      const { kind } = analyse(expression, scope).type;
      type = kind === 'dyn' ? expression.type : kind;
    } catch (error) {
      errors.push(invalidValue(path, source, `compilation failed: ${(error as Error).message}`));
      return;
    }
    const name = type.replace(/<.*$/, '');
    if (wanted.length && !wanted.includes(name) && ['bool', 'string', 'int', 'double', 'list', 'map'].includes(name))
      errors.push(invalidValue(path, source, `must evaluate to ${wanted[0]}`));
  };
}

const MESSAGE_VARIABLES = REQUEST_VARIABLES.filter((name) => name !== 'authorizer');

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function eachOf(value: unknown, field: string, path: FieldPath, visit: (item: Fields, path: FieldPath) => void): void {
  if (!isDictionary(value)) return;
  for (const [index, item] of listOf(value[field]).entries())
    if (isDictionary(item)) visit(item, path.child(field).index(index));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
