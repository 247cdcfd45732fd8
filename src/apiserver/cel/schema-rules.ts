import { Optional } from '@marcbachmann/cel-js';
import type { JSONSchemaProps, ValidationRule } from '../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { duplicate, type FieldError, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import { additionalPropertiesSchema, itemsSchema } from '../custom-resources/schema/schema-parts.ts';
import { correlate } from '../custom-resources/validation/correlate.ts';
import { BUDGET_EXCEEDED, COST_EXCEEDED, type StepCount } from './environment.ts';
import type { Expression, SyntaxNode } from './expression.ts';
import { escapeName } from './names.ts';
import { RuleCompiler } from './rule-compiler.ts';
import { typedToCel } from './values.ts';

/** Steps that all rules of a schema may take on one object. */
const OBJECT_STEPS = 2_000_000;

interface Rule {
  readonly given: ValidationRule;
  readonly expression: Expression;
  /** Looks at the old value. */
  readonly transition: boolean;
  readonly message: Expression | undefined;
}

/** A node of the schema with rules at it or below. */
interface RuleNode {
  readonly props: JSONSchemaProps;
  readonly rules: readonly Rule[];
  readonly fields: ReadonlyMap<string, RuleNode>;
  readonly values: RuleNode | undefined;
  readonly items: RuleNode | undefined;
}

/** The `x-kubernetes-validations` of a schema. */
export class SchemaRules {
  readonly #root: RuleNode | undefined;
  readonly #props: JSONSchemaProps;

  /** Rules that don't compile are left out: the CRD was accepted with them at another time. */
  constructor(props: JSONSchemaProps) {
    this.#props = withTypeMeta(props);
    this.#root = ruleNode(this.#props, new RuleCompiler());
  }

  validate(object: unknown, old?: unknown): FieldError[] {
    if (!this.#root) return [];
    const errors: FieldError[] = [];
    const self = typedToCel(object, this.#props);
    const oldSelf = old === undefined ? undefined : typedToCel(old, this.#props);
    const budget = { left: OBJECT_STEPS };
    try {
      visit(this.#root, { value: object, cel: self, old, oldCel: oldSelf, at: '' }, errors, budget);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      errors.push(error.field);
    }
    return errors;
  }
}

/** Ends the evaluation of an object's rules. */
class Stopped extends Error {
  readonly field: FieldError;

  constructor(at: string, type: string, why: string) {
    super(why);
    this.field = invalidValue(at, type, why);
  }
}

/** Every object has them, and of the metadata rules see the names alone. */
export function withTypeMeta(props: JSONSchemaProps): JSONSchemaProps {
  const text = { type: 'string' };
  const { name, generateName } = props.properties?.metadata?.properties ?? {};
  const metadata = {
    type: 'object',
    properties: { name: { ...name, ...text }, generateName: { ...generateName, ...text } },
  };
  return { ...props, type: 'object', properties: { ...props.properties, apiVersion: text, kind: text, metadata } };
}

function ruleNode(props: JSONSchemaProps, compiler: RuleCompiler): RuleNode | undefined {
  const rules = (props['x-kubernetes-validations'] ?? []).flatMap((given) => compiled(given, compiler) ?? []);
  const fields = new Map<string, RuleNode>();
  for (const [name, field] of Object.entries(props.properties ?? {})) {
    const node = ruleNode(field, compiler);
    if (node) fields.set(name, node);
  }
  const below = (child: JSONSchemaProps | undefined) => child && ruleNode(child, compiler);
  const values = below(additionalPropertiesSchema(props));
  const items = below(itemsSchema(props));
  return rules.length || fields.size || values || items ? { props, rules, fields, values, items } : undefined;
}

function compiled(given: ValidationRule, compiler: RuleCompiler): Rule | undefined {
  try {
    const expression = compiler.compile(given, given.rule);
    const message = given.messageExpression ? compiler.compile(given, given.messageExpression) : undefined;
    return { given, expression, message, transition: mentions(expression.syntax, 'oldSelf') };
  } catch {
    return undefined;
  }
}

export function mentions(node: unknown, name: string): boolean {
  if (Array.isArray(node)) return node.some((part) => mentions(part, name));
  if (typeof node !== 'object' || node === null || !('op' in node)) return false;
  const { op, args } = node as SyntaxNode;
  return op === 'id' ? args === name : mentions(args, name);
}

interface Place {
  readonly value: unknown;
  readonly cel: unknown;
  readonly old: unknown;
  readonly oldCel: unknown;
  readonly at: string;
}

function visit(node: RuleNode, place: Place, errors: FieldError[], budget: StepCount): void {
  const { value, old } = place;
  if (value === null || value === undefined) return;
  const unchanged = old !== undefined && deepEqual(value, old);
  for (const rule of node.rules) {
    if (unchanged && !rule.transition) continue;
    if (rule.transition && old === undefined && !rule.given.optionalOldSelf) continue;
    apply(rule, node.props, place, errors, budget);
  }
  if (Array.isArray(value)) visitItems(node, place, value, errors, budget);
  else if (isDictionary(value)) visitFields(node, place, value, errors, budget);
}

function visitItems(
  node: RuleNode,
  place: Place,
  value: readonly unknown[],
  errors: FieldError[],
  budget: StepCount,
): void {
  const { items } = node;
  if (!items) return;
  const old = Array.isArray(place.old) ? place.old : undefined;
  const find = old && correlate(node.props, old);
  for (const [index, item] of value.entries()) {
    const before = find?.(item, index);
    const oldCel = before === undefined || !old ? undefined : (place.oldCel as unknown[])[old.indexOf(before)];
    visit(
      items,
      { value: item, cel: (place.cel as unknown[])[index], old: before, oldCel, at: `${place.at}[${index}]` },
      errors,
      budget,
    );
  }
}

function visitFields(
  node: RuleNode,
  place: Place,
  value: Readonly<Record<string, unknown>>,
  errors: FieldError[],
  budget: StepCount,
): void {
  if (node.fields.size === 0 && !node.values) return;
  const old = isDictionary(place.old) ? place.old : undefined;
  for (const key of Object.keys(value)) {
    const known = node.fields.get(key);
    const child = known ?? (node.props.properties?.[key] ? undefined : node.values);
    if (!child) continue;
    const name = known ? (escapeName(key) ?? key) : key;
    const of = (cel: unknown) => (cel instanceof Map ? cel.get(name) : undefined);
    const before = old && Object.hasOwn(old, key) ? old[key] : undefined;
    const at = known ? (place.at === '' ? key : `${place.at}.${key}`) : `${place.at}[${key}]`;
    visit(child, { value: value[key], cel: of(place.cel), old: before, oldCel: of(place.oldCel), at }, errors, budget);
  }
}

function apply(
  rule: Rule,
  props: JSONSchemaProps,
  { cel, old, oldCel, value, at }: Place,
  errors: FieldError[],
  budget: StepCount,
): void {
  const { given, expression } = rule;
  const place = at || '<nil>';
  const kind = props.type ?? 'object';
  const oldSelf = given.optionalOldSelf ? (old === undefined ? Optional.none() : Optional.of(oldCel)) : oldCel;
  const variables = { self: cel, ...(oldSelf === undefined ? {} : { oldSelf }) };
  let result: unknown;
  try {
    result = expression.evaluate(variables, budget);
  } catch (error) {
    const { message } = error as Error;
    if (budget.left <= 0) throw new Stopped(place, kind, BUDGET_EXCEEDED);
    if (message.startsWith(COST_EXCEEDED))
      throw new Stopped(
        place,
        kind,
        `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shownRule(given)}`,
      );
    errors.push(invalidValue(place, kind, failedEvaluation(message, given)));
    return;
  }
  if (result === true) return;
  const message = messageOf(rule, variables, budget);
  const where = given.fieldPath ? fieldBelow(at, given.fieldPath) : place;
  const shown = kind === 'object' || kind === 'array' ? kind : value;
  switch (given.reason) {
    case 'FieldValueForbidden':
      errors.push(forbiddenField(where, message));
      break;
    case 'FieldValueRequired':
      errors.push(required(where, message));
      break;
    case 'FieldValueDuplicate':
      errors.push(duplicate(where, shown));
      break;
    default:
      errors.push(invalidValue(where, shown, message));
  }
}

function failedEvaluation(why: string, given: ValidationRule): string {
  if (why.startsWith('no such overload'))
    return `'${why}': call arguments did not match a supported operator, function or macro signature for rule: ${shownRule(given)}`;
  return `${why} evaluating rule: ${shownRule(given)}`;
}

/** A rule as messages show it: its own message, or itself. */
const shownRule = ({ rule, message }: ValidationRule) => (message || rule).trim();

function messageOf({ given, message }: Rule, variables: Readonly<Record<string, unknown>>, budget: StepCount): string {
  if (message) {
    try {
      const text = message.evaluate(variables, budget);
      if (typeof text === 'string' && text.trim() !== '' && !/[\n\r]/.test(text) && text.length <= 5 * 1024)
        return text.trim();
    } catch {
      // The fixed message says it, then.
    }
  }
  return given.message ? given.message.trim() : `failed rule: ${given.rule.trim()}`;
}

/** `.a.b`, `.list[0]`, `.map['key']` below a place. */
function fieldBelow(at: string, path: string): string {
  const below = path.replace(/\['([^']*)'\]/g, '.$1').replace(/^\./, '');
  return at === '' ? below : `${at}.${below}`;
}
