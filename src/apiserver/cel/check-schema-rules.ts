import type { JSONSchemaProps, ValidationRule } from '../../api/types/apiextensions.v1.gen.ts';
import { FieldError, type FieldPath, forbiddenField, invalidValue, showValue } from '../../apimachinery/field.ts';
import { additionalPropertiesSchema, itemsSchema } from '../custom-resources/schema/schema-parts.ts';
import { fieldPathSteps } from './field-path.ts';
import { RuleCompiler } from './rule-compiler.ts';
import { mentions, withTypeMeta } from './schema-rules.ts';
import { dyn, leastBytes, MAX_BYTES, typeOfSchema } from './schema-types.ts';
import { analyse } from './static-check.ts';

const EXPRESSION_LIMIT = 10_000_000;
const SCHEMA_LIMIT = 100_000_000;

/** Rules that take a smaller part of the schema's limit are not named when it is exceeded. */
const NAMED_COST = SCHEMA_LIMIT / 100;
const MOST_NAMED = 4;

interface Context {
  readonly compiler: RuleCompiler;
  readonly errors: FieldError[];
  readonly costs: { readonly path: FieldPath; readonly cost: number }[];
}

/** What is wrong with the rules of a CRD's schema before there is any object: syntax, types, fields, cost. */
export function checkSchemaRules(path: FieldPath, props: JSONSchemaProps): FieldError[] {
  const context: Context = { compiler: new RuleCompiler(), errors: [], costs: [] };
  visit(path, withTypeMeta(props), 1, context, true);
  const { costs, errors } = context;
  const total = costs.reduce((sum, { cost }) => sum + cost, 0);
  if (total <= SCHEMA_LIMIT) return errors;
  const expensive = costs.filter(({ cost }) => cost >= NAMED_COST).sort((a, b) => b.cost - a.cost);
  for (const { path: at } of expensive.slice(0, MOST_NAMED))
    errors.push(
      forbiddenField(
        at,
        'contributed to estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema',
      ),
    );
  errors.push(
    forbiddenField(
      path,
      tooDear(
        'x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 schema',
        total,
        SCHEMA_LIMIT,
      ),
    ),
  );
  return errors;
}

/**
 * `count`: how many values there can be at this place of the schema, `undefined` when only the size of a request bounds
 * them; `correlated`: whether old values can be found.
 */
function visit(
  path: FieldPath,
  props: JSONSchemaProps,
  count: number | undefined,
  context: Context,
  correlated: boolean,
): void {
  const embedded = props['x-kubernetes-embedded-resource'] ? withTypeMeta(props) : props;
  for (const [index, rule] of (props['x-kubernetes-validations'] ?? []).entries())
    checkRule(path.child('x-kubernetes-validations').index(index), rule, embedded, count, context, correlated);
  for (const [name, field] of Object.entries(props.properties ?? {}))
    visit(path.child('properties').key(name), field, count, context, correlated);
  const times = (most: number | undefined) => (most === undefined || count === undefined ? undefined : count * most);
  const values = additionalPropertiesSchema(props);
  if (values) visit(path.child('additionalProperties'), values, times(props.maxProperties), context, correlated);
  const items = itemsSchema(props);
  if (items)
    visit(
      path.child('items'),
      items,
      times(props.maxItems),
      context,
      correlated && props['x-kubernetes-list-type'] === 'map',
    );
}

function checkRule(
  path: FieldPath,
  rule: ValidationRule,
  props: JSONSchemaProps,
  given: number | undefined,
  context: Context,
  correlated: boolean,
): void {
  const { compiler, errors } = context;
  const count = given ?? Math.floor(MAX_BYTES / (leastBytes(props) + 1));
  if (rule.fieldPath) {
    try {
      fieldPathSteps(props, rule.fieldPath);
    } catch (error) {
      const why = `fieldPath must be a valid path: ${(error as Error).message}`;
      errors.push(invalidValue(path.child('fieldPath'), rule.fieldPath, why));
    }
  }
  const self = typeOfSchema(props);
  const scope = new Map([
    ['self', self],
    ['oldSelf', rule.optionalOldSelf ? dyn : self],
  ]);
  try {
    const expression = compiler.compile(rule, rule.rule);
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
    context.costs.push({ path: path.child('rule'), cost: estimate });
    if (estimate > EXPRESSION_LIMIT)
      errors.push(forbiddenField(path.child('rule'), tooDear('estimated rule cost', estimate, EXPRESSION_LIMIT)));
  } catch (error) {
    errors.push(invalidRule(path.child('rule'), rule, failedToCompile((error as Error).message)));
  }
  if (!rule.messageExpression) return;
  try {
    const { type, cost } = analyse(compiler.compile(rule, rule.messageExpression), scope);
    if (type.kind !== 'dyn' && type.kind !== 'string') throw new Error('messageExpression must evaluate to a string');
    const estimate = cost * count;
    context.costs.push({ path: path.child('messageExpression'), cost: estimate });
    if (estimate > EXPRESSION_LIMIT)
      errors.push(
        forbiddenField(
          path.child('messageExpression'),
          tooDear('estimated messageExpression cost', estimate, EXPRESSION_LIMIT),
        ),
      );
  } catch (error) {
    errors.push(
      invalidRule(
        path.child('messageExpression'),
        rule,
        failedToCompile((error as Error).message).replace(/^(?!messageExpression)/, 'messageExpression '),
      ),
    );
  }
}

/** The value is the rule as a whole, as Go's JSON has it: by the names that its fields have there, and with HTML escaped. */
function invalidRule(path: FieldPath, rule: ValidationRule, detail: string): FieldError {
  const shown = JSON.stringify({
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  }).replace(/[<>&\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return new FieldError('FieldValueInvalid', path, `Invalid value: ${shown}: ${detail}`);
}

function failedToCompile(why: string): string {
  return why.startsWith('ERROR') ? `compilation failed: ${why}` : why;
}

function tooDear(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
