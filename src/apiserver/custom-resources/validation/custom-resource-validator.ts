import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import type { FieldError } from '../../../apimachinery/field.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import type { SchemaRules } from '../../cel/schema-rules.ts';
import { embeddedResourceErrors } from './embedded-resources.ts';
import { duplicateItems } from './list-types.ts';
import { ValueValidator } from './value-validator.ts';

export type CustomResourceValidator = (object: UnstructuredObject, old?: UnstructuredObject) => FieldError[];

/** Makes the rules of a schema, when there is an engine for them. */
export type MakeRules = (props: JSONSchemaProps) => SchemaRules;

/** Everything that the schema of a custom resource demands. What it takes is made when it is first used. */
export function customResourceValidator(
  props: JSONSchemaProps,
  schema: Schema,
  makeRules: MakeRules | undefined,
): CustomResourceValidator {
  let values: ValueValidator | undefined;
  let rules: SchemaRules | undefined;
  return (object, old) => {
    values ??= new ValueValidator(withPlainMetadata(props));
    const errors = values.validate(object, old);
    const messages = old && new Set(duplicateItems(old, props).map(String));
    errors.push(...duplicateItems(object, props).filter((error) => !messages?.has(String(error))));
    errors.push(...embeddedResourceErrors(object, schema));
    // Rules may count on values of the right shape.
    if (makeRules && errors.length === 0) {
      rules ??= makeRules(props);
      errors.push(...rules.validate(object, old));
    }
    return errors;
  };
}

/** Metadata is checked as every object's is; of it the schema restricts the name alone. */
function withPlainMetadata(props: JSONSchemaProps): JSONSchemaProps {
  const { apiVersion: _, kind: __, ...properties } = props.properties ?? {};
  return { ...props, properties };
}
