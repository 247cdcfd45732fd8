import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { FieldError, notSupported, required, typeInvalid } from '../../../apimachinery/field.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import { additionalPropertiesSchema, itemsSchema } from '../schema/schema-parts.ts';
import { type Check, checkItemCount, checkMemberCount, constraintChecks } from './constraints.ts';
import { Correlation } from './correlate.ts';

/** A place in the object, as errors show it: `spec.list[0].name`; '' is the root. */
export type Place = string;

/**
 * Validation of values by a JSON schema, in the words of Kubernetes' validation of custom resources. Made once per
 * schema. With an old value, what did not change is not looked at again (ratcheting).
 */
export class ValueValidator {
  readonly #props: JSONSchemaProps;
  readonly #types: readonly string[];
  readonly #checks: readonly Check[];
  /** Of the parts of it that were asked for. */
  readonly #parts = new Map<JSONSchemaProps, ValueValidator>();
  readonly #allOf: readonly ValueValidator[];
  readonly #anyOf: readonly ValueValidator[];
  readonly #oneOf: readonly ValueValidator[];
  readonly #not: ValueValidator | undefined;

  constructor(props: JSONSchemaProps) {
    this.#props = props;
    const intOrString = props['x-kubernetes-int-or-string'] === true;
    this.#types = intOrString ? ['integer', 'string'] : props.type ? [props.type] : [];
    this.#checks = constraintChecks(props);
    const all = (schemas: readonly JSONSchemaProps[] = []) => schemas.map((schema) => new ValueValidator(schema));
    this.#allOf = all(props.allOf);
    this.#anyOf = all(props.anyOf);
    this.#oneOf = all(props.oneOf);
    this.#not = props.not && new ValueValidator(props.not);
  }

  /** Of a field, which may be a value of a map. */
  field(name: string): ValueValidator | undefined {
    const { properties } = this.#props;
    return properties && Object.hasOwn(properties, name) ? this.#part(properties[name]) : this.values;
  }

  get values(): ValueValidator | undefined {
    return this.#part(additionalPropertiesSchema(this.#props));
  }

  get items(): ValueValidator | undefined {
    return this.#part(itemsSchema(this.#props));
  }

  #part(props: JSONSchemaProps | undefined): ValueValidator | undefined {
    if (!props) return undefined;
    let part = this.#parts.get(props);
    if (!part) {
      part = new ValueValidator(props);
      this.#parts.set(props, part);
    }
    return part;
  }

  /** `metadata` of the root is not the schema's business beyond its name. */
  validate(value: unknown, old?: unknown): FieldError[] {
    const errors: FieldError[] = [];
    this.visit(value, '', errors, old === undefined ? undefined : new Correlation(value, old, this.#props));
    return errors;
  }

  visit(value: unknown, at: Place, errors: FieldError[], old?: Correlation): void {
    if (old?.equal) return;
    if (value === null && this.#props.nullable) return;
    // A value of the wrong type is told of all else that is wrong with it, too.
    if (!this.#rightType(value)) {
      const seen = typeName(value);
      const wanted = this.#types.join(',');
      errors.push(
        typeInvalid(fieldOf(at), seen, `${shown(at)} in body must be of type ${wanted}: ${JSON.stringify(seen)}`),
      );
    }
    if (value !== null) {
      this.#visitJunctors(value, at, errors);
      for (const check of this.#checks) check(value, at, errors);
      if (Array.isArray(value)) this.#visitItems(value, at, errors, old);
    }
    if (this.#props.enum && !this.#inEnum(value)) errors.push(this.#notInEnum(value, at));
    if (isDictionary(value)) this.#visitFields(value, at, errors, old);
  }

  #rightType(value: unknown): boolean {
    if (this.#types.length === 0) return true;
    const seen = typeName(value);
    return this.#types.some((type) => type === seen || (type === 'number' && seen === 'integer'));
  }

  #inEnum(value: unknown): boolean {
    return this.#props.enum!.some((allowed) => deepEqual(allowed, value));
  }

  #notInEnum(value: unknown, at: Place): FieldError {
    const supported = this.#props.enum!.map((allowed) =>
      typeof allowed === 'string' ? allowed : JSON.stringify(allowed),
    );
    return notSupported(fieldOf(at), value, supported);
  }

  #visitItems(items: readonly unknown[], at: Place, errors: FieldError[], old: Correlation | undefined): void {
    const validator = this.items;
    if (validator)
      for (const [index, item] of items.entries()) validator.visit(item, `${at}[${index}]`, errors, old?.index(index));
    checkItemCount(items, this.#props, at, errors);
  }

  #visitFields(
    object: Readonly<Record<string, unknown>>,
    at: Place,
    errors: FieldError[],
    old: Correlation | undefined,
  ): void {
    if (!checkMemberCount(object, this.#props, at, errors)) return;
    for (const name of Object.keys(object)) {
      const validator = this.field(name);
      if (!validator || object[name] === undefined) continue;
      validator.visit(object[name], child(at, name), errors, old?.key(name));
    }
    for (const name of this.#props.required ?? [])
      if (!Object.hasOwn(object, name) || object[name] === undefined) errors.push(required(fieldOf(child(at, name))));
  }

  #visitJunctors(value: unknown, at: Place, errors: FieldError[]): void {
    const nested = (validator: ValueValidator) => {
      const found: FieldError[] = [];
      validator.visit(value, at, found);
      return found;
    };
    const fail = (message: string) =>
      errors.push(new FieldError('FieldValueInvalid', '<nil>', `Invalid value: "": ${message}`));
    const quoted = JSON.stringify(at);
    if (this.#anyOf.length) {
      const best = fewest(this.#anyOf.map(nested));
      if (best.length) {
        fail(`${quoted} must validate at least one schema (anyOf)`);
        errors.push(...best);
      }
    }
    if (this.#oneOf.length) {
      const results = this.#oneOf.map(nested);
      const valid = results.filter((found) => found.length === 0).length;
      if (valid === 0) {
        fail(`${quoted} must validate one and only one schema (oneOf). Found none valid`);
        errors.push(...fewest(results));
      } else if (valid > 1)
        fail(`${quoted} must validate one and only one schema (oneOf). Found ${valid} valid alternatives`);
    }
    if (this.#allOf.length) {
      const results = this.#allOf.map(nested);
      const valid = results.filter((found) => found.length === 0).length;
      for (const found of results) errors.push(...found);
      if (valid < results.length)
        fail(`${quoted} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
    }
    if (this.#not && nested(this.#not).length === 0) fail(`${quoted} must not validate the schema (not)`);
  }
}

export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

/** The place as sentences name it. */
export const shown = (at: Place): string => at;
/** The place as a field error has it. */
export const fieldOf = (at: Place): string => at || '<nil>';
export const child = (at: Place, name: string): Place => (at === '' ? name : `${at}.${name}`);

function fewest(results: readonly FieldError[][]): FieldError[] {
  return results.reduce((best, found) => (found.length < best.length ? found : best));
}
