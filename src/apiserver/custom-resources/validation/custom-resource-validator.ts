import type { RuleFindings } from '../../../api/kind.ts';
import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { type FieldError, invalidValue } from '../../../apimachinery/field.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import type { SchemaRules } from '../../cel/schema-rules.ts';
import { embeddedResourceErrors } from './embedded-resources.ts';
import { duplicateItems } from './list-types.ts';
import { ValueValidator } from './value-validator.ts';

/** Makes the rules of a schema, when there is an engine for them. */
export type MakeRules = (props: JSONSchemaProps) => SchemaRules;

/** Everything that the schema of a custom resource demands. What it takes is made when it is first used. */
export class CustomResourceValidator {
  readonly #props: JSONSchemaProps;
  readonly #schema: Schema;
  readonly #makeRules: MakeRules | undefined;
  #values: ValueValidator | undefined;
  #rules: SchemaRules | undefined;

  constructor(props: JSONSchemaProps, schema: Schema, makeRules: MakeRules | undefined) {
    this.#props = props;
    this.#schema = schema;
    this.#makeRules = makeRules;
  }

  get hasRules(): boolean {
    return this.#makeRules !== undefined;
  }

  validate(object: UnstructuredObject, old?: UnstructuredObject): FieldError[] {
    const props = this.#props;
    this.#values ??= new ValueValidator(withPlainMetadata(props));
    const errors = this.#values.validate(object, old);
    const duplicates = duplicateItems(object, props);
    if (duplicates.length && (!old || duplicateItems(old, props).length === 0)) errors.push(...duplicates);
    errors.push(...embeddedResourceErrors(object, this.#schema));
    return errors;
  }

  /** Rules may count on values of the right shape: some of what was `found` already keeps them from being evaluated. */
  validateRules(
    object: UnstructuredObject,
    old: UnstructuredObject | undefined,
    found: readonly FieldError[],
  ): RuleFindings | Promise<RuleFindings> {
    if (found.some(({ type }) => blocking.has(type))) return { errors: [unchecked], warnings: [] };
    this.#rules ??= this.#makeRules!(this.#props);
    return this.#rules.validate(object, old);
  }
}

const blocking: ReadonlySet<FieldError['type']> = new Set([
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

const unchecked = invalidValue(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);

/** Metadata is checked as every object's is; of it the schema restricts the name alone. */
function withPlainMetadata(props: JSONSchemaProps): JSONSchemaProps {
  const { apiVersion: _, kind: __, ...properties } = props.properties ?? {};
  return { ...props, properties };
}
