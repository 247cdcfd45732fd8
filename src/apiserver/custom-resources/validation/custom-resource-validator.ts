import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import type { FieldError } from '../../../apimachinery/field.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { Schema } from '../../../apimachinery/schema.ts';
import { embeddedResourceErrors } from './embedded-resources.ts';
import { duplicateItems } from './list-types.ts';
import { ValueValidator } from './value-validator.ts';

export type CustomResourceValidator = (object: UnstructuredObject, old?: UnstructuredObject) => FieldError[];

/** Everything that the schema of a custom resource demands. What it takes is made when it is first used. */
export function customResourceValidator(props: JSONSchemaProps, schema: Schema): CustomResourceValidator {
  let values: ValueValidator | undefined;
  return (object, old) => {
    values ??= new ValueValidator(withPlainMetadata(props));
    const errors = values.validate(object, old);
    const messages = old && new Set(duplicateItems(old, props).map(String));
    errors.push(...duplicateItems(object, props).filter((error) => !messages?.has(String(error))));
    errors.push(...embeddedResourceErrors(object, schema));
    return errors;
  };
}

/** Metadata is checked as every object's is; of it the schema restricts the name alone. */
function withPlainMetadata(props: JSONSchemaProps): JSONSchemaProps {
  const { apiVersion: _, kind: __, ...properties } = props.properties ?? {};
  return { ...props, properties };
}
