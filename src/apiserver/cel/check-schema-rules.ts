import type { JSONSchemaProps, ValidationRule } from '../../api/types/apiextensions.v1.gen.ts';
import { FieldError, type FieldPath, forbiddenField, invalidValue, showValue } from '../../apimachinery/field.ts';
import { additionalPropertiesSchema, itemsSchema } from '../custom-resources/schema/schema-parts.ts';
import { ExpressionCompiler } from './expression.ts';
import { mentions, withTypeMeta } from './schema-rules.ts';
import { dyn, typeOfSchema } from './schema-types.ts';
import { analyse } from './static-check.ts';

const EXPRESSION_LIMIT = 10_000_000;
const SCHEMA_LIMIT = 100_000_000;

interface Context {
  readonly compiler: ExpressionCompiler;
  readonly errors: FieldError[];
  total: number;
}

/** What is wrong with the rules of a CRD's schema before there is any object: syntax, types, fields, cost. */
export function checkSchemaRules(path: FieldPath, props: JSONSchemaProps): FieldError[] {
  const context: Context = { compiler: new ExpressionCompiler(['self', 'oldSelf']), errors: [], total: 0 };
  visit(path, withTypeMeta(props), 1, context, true);
  if (context.total > SCHEMA_LIMIT)
    context.errors.push(
      forbiddenField(
        path,
        tooDear(
          'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema',
          context.total,
          SCHEMA_LIMIT,
        ),
      ),
    );
  return context.errors;
}

/** `count`: how many values there can be at this place of the schema; `correlated`: whether old values can be found. */
function visit(path: FieldPath, props: JSONSchemaProps, count: number, context: Context, correlated: boolean): void {
  const embedded = props['x-kubernetes-embedded-resource'] ? withTypeMeta(props) : props;
  for (const [index, rule] of (props['x-kubernetes-validations'] ?? []).entries())
    checkRule(path.child('x-kubernetes-validations').index(index), rule, embedded, count, context, correlated);
  for (const [name, field] of Object.entries(props.properties ?? {}))
    visit(path.child('properties').key(name), field, count, context, correlated);
  const { size = 1 } = typeOfSchema({ ...props, 'x-kubernetes-preserve-unknown-fields': undefined } as JSONSchemaProps);
  const values = additionalPropertiesSchema(props);
  if (values) visit(path.child('additionalProperties'), values, count * size, context, correlated);
  const items = itemsSchema(props);
  if (items)
    visit(path.child('items'), items, count * size, context, correlated && props['x-kubernetes-list-type'] === 'map');
}

function checkRule(
  path: FieldPath,
  rule: ValidationRule,
  props: JSONSchemaProps,
  count: number,
  context: Context,
  correlated: boolean,
): void {
  const { compiler, errors } = context;
  const self = typeOfSchema(props);
  const scope = new Map([
    ['self', self],
    ['oldSelf', rule.optionalOldSelf ? dyn : self],
  ]);
  try {
    const expression = compiler.compile(rule.rule);
    const { type, cost } = analyse(expression, scope);
    const resultType = type.kind === 'dyn' ? expression.type : type.kind;
    if (!['bool', 'dyn'].includes(resultType) && !resultType.startsWith('dyn'))
      throw new Error('cel expression must evaluate to a bool');
    if (!correlated && mentions(expression.syntax, 'oldSelf') && !rule.optionalOldSelf)
      errors.push(
        new FieldError(
          'FieldValueInvalid',
          path.child('rule'),
          `Invalid value: ${showValue(rule.rule)}: oldSelf cannot be used on the uncorrelatable portion of the schema within ${path}`,
        ),
      );
    const estimate = cost * count;
    context.total += estimate;
    if (estimate > EXPRESSION_LIMIT)
      errors.push(forbiddenField(path.child('rule'), tooDear('estimated rule cost', estimate, EXPRESSION_LIMIT)));
  } catch (error) {
    errors.push(invalidValue(path.child('rule'), rule.rule, failedToCompile((error as Error).message)));
  }
  if (!rule.messageExpression) return;
  try {
    const { type } = analyse(compiler.compile(rule.messageExpression), scope);
    if (type.kind !== 'dyn' && type.kind !== 'string') throw new Error('messageExpression must evaluate to a string');
  } catch (error) {
    errors.push(
      invalidValue(
        path.child('messageExpression'),
        rule.messageExpression,
        failedToCompile((error as Error).message).replace(/^(?!messageExpression)/, 'messageExpression '),
      ),
    );
  }
}

function failedToCompile(why: string): string {
  return why.startsWith('ERROR') ? `compilation failed: ${why}` : why;
}

function tooDear(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
