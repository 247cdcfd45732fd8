import type { RuleFindings } from '../../api/kind.ts';
import type { JSONSchemaProps, ValidationRule } from '../../api/types/apiextensions.v1.gen.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import { additionalPropertiesSchema, itemsSchema } from '../custom-resources/schema/schema-parts.ts';
import { Correlation } from '../custom-resources/validation/correlate.ts';
import { escapeName } from './names.ts';
import { RuleCompiler } from './rule-compiler.ts';
import { type Place, type Rule, type RuleApplication, RuleEvaluation } from './rule-evaluation.ts';
import type { SyntaxNode } from './syntax.ts';
import { typedToCel } from './values.ts';

/** A node of the schema with rules at it or below. */
interface RuleNode {
  readonly props: JSONSchemaProps;
  readonly rules: readonly Rule[];
  readonly fields: ReadonlyMap<string, RuleNode>;
  readonly values: RuleNode | undefined;
  readonly items: RuleNode | undefined;
  /** Of the `allOf` of the node. */
  readonly all: readonly RuleNode[];
}

/** The `x-kubernetes-validations` of a schema. */
export class SchemaRules {
  readonly #root: RuleNode | undefined;
  readonly #props: JSONSchemaProps;

  /** Rules that don't compile are left out: the CRD was accepted with them at another time. */
  constructor(props: JSONSchemaProps) {
    this.#props = withTypeMeta(props);
    this.#root = ruleNode(this.#props, this.#props, new RuleCompiler());
  }

  /** A promise when it takes so long that others have their turn in between. */
  validate(object: unknown, old?: unknown): RuleFindings | Promise<RuleFindings> {
    if (!this.#root) return { errors: [], warnings: [] };
    const correlation = old === undefined ? undefined : new Correlation(object, old, this.#props);
    const applications = visit(this.#root, {
      value: object,
      cel: typedToCel(object, this.#props),
      old,
      oldCel: old === undefined ? undefined : typedToCel(old, this.#props),
      correlation,
      correlated: correlation !== undefined,
      at: '',
    });
    return new RuleEvaluation(applications).run();
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

/** Rules of `given`, which is the node's schema or restricts it, on values of `props`. */
function ruleNode(given: JSONSchemaProps, props: JSONSchemaProps, compiler: RuleCompiler): RuleNode | undefined {
  const rules = (given['x-kubernetes-validations'] ?? []).flatMap((rule) => compiled(rule, compiler) ?? []);
  const fields = new Map<string, RuleNode>();
  for (const [name, field] of Object.entries(given.properties ?? {})) {
    const of = props.properties && Object.hasOwn(props.properties, name) ? props.properties[name] : undefined;
    const node = of && ruleNode(field, of, compiler);
    if (node) fields.set(name, node);
  }
  const below = (child: JSONSchemaProps | undefined, of: JSONSchemaProps | undefined) =>
    child && of && ruleNode(child, of, compiler);
  const values = below(additionalPropertiesSchema(given), additionalPropertiesSchema(props));
  const items = below(itemsSchema(given), itemsSchema(props));
  const all = (given.allOf ?? []).flatMap((part) => ruleNode(part, props, compiler) ?? []);
  return rules.length || fields.size || values || items || all.length
    ? { props, rules, fields, values, items, all }
    : undefined;
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

/** The rules at a place and below, as they are to be evaluated. */
function* visit(node: RuleNode, place: Place): Generator<RuleApplication> {
  const { value, old } = place;
  if (value === null || value === undefined) return;
  for (const rule of node.rules) {
    if (rule.transition && (old === undefined || old === null) && !rule.given.optionalOldSelf) continue;
    yield { rule, props: node.props, place };
  }
  // What an allOf finds in unchanged values is not excused, unless all around it is unchanged.
  for (const part of node.all) yield* visit(part, { ...place, correlated: false });
  if (Array.isArray(value)) yield* visitItems(node, place, value);
  else if (isDictionary(value)) yield* visitFields(node, place, value);
}

function* visitItems(node: RuleNode, place: Place, value: readonly unknown[]): Generator<RuleApplication> {
  const { items } = node;
  if (!items) return;
  const oldCel = new Map<unknown, unknown>();
  if (node.props['x-kubernetes-list-type'] === 'map' && Array.isArray(place.old) && Array.isArray(place.oldCel))
    for (const [index, item] of place.old.entries()) oldCel.set(item, place.oldCel[index]);
  const lists = oldCel.size ? new Correlation(value, place.old, node.props) : undefined;
  for (const [index, item] of value.entries()) {
    const old = lists?.index(index)?.old;
    yield* visit(items, {
      value: item,
      cel: (place.cel as unknown[])[index],
      old,
      oldCel: old === undefined ? undefined : oldCel.get(old),
      at: `${place.at}[${index}]`,
      ...below(place, place.correlated ? place.correlation?.index(index) : undefined),
    });
  }
}

function* visitFields(
  node: RuleNode,
  place: Place,
  value: Readonly<Record<string, unknown>>,
): Generator<RuleApplication> {
  if (node.fields.size === 0 && !node.values) return;
  const known = isDictionary(place.old) && node.props['x-kubernetes-map-type'] !== 'atomic' ? place.old : undefined;
  for (const key of Object.keys(value)) {
    const field = node.fields.get(key);
    const child = field ?? (node.props.properties?.[key] ? undefined : node.values);
    if (!child) continue;
    const name = field ? (escapeName(key) ?? key) : key;
    const of = (cel: unknown) => (cel instanceof Map ? cel.get(name) : undefined);
    yield* visit(child, {
      value: value[key],
      cel: of(place.cel),
      old: known && Object.hasOwn(known, key) ? known[key] : undefined,
      oldCel: known ? of(place.oldCel) : undefined,
      at: field ? (place.at === '' ? key : `${place.at}.${key}`) : `${place.at}[${key}]`,
      ...below(place, place.correlated ? place.correlation?.key(key) : undefined),
    });
  }
}

/** Below what has no counterpart in the old object, the nearest value around it that has one decides. */
function below({ correlation }: Place, of: Correlation | undefined): Pick<Place, 'correlation' | 'correlated'> {
  return { correlation: of ?? correlation, correlated: of !== undefined };
}
