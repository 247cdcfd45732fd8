import { type FieldError, type FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { semanticEqual } from '../field-checks.ts';
import type { JSONSchemaProps } from '../types/apiextensions.v1.gen.ts';
import { compileRegularExpression } from './regular-expression.ts';
import { additionalPropertiesSchema, itemsSchema, properties, property } from './schema-children.ts';

/**
 * Whether a schema is structural: every field has a type outside of allOf, anyOf, oneOf and not, and those only restrict
 * values. The rules are those of the Kubernetes documentation, "Specifying a structural schema".
 */
export function validateStructuralSchema(path: FieldPath, schema: JSONSchemaProps): FieldError[] {
  return [...validateInvariants(path, schema, 'root'), ...validateCompleteness(path, schema)].sort((a, b) =>
    a.toString() < b.toString() ? -1 : 1,
  );
}

type Level = 'root' | 'item' | 'field';

const missingType: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

const intOrString = [{ type: 'integer' }, { type: 'string' }];

function validateInvariants(path: FieldPath, schema: JSONSchemaProps, level: Level): FieldError[] {
  const errors: FieldError[] = [];
  const items = itemsSchema(schema);
  const additional = additionalPropertiesSchema(schema);
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  const { type = '' } = schema;

  if (type === 'array' && !items) errors.push(required(path.child('items'), 'must be specified'));
  if (items) errors.push(...validateInvariants(path.child('items'), items, 'item'));
  for (const [name, field] of properties(schema))
    errors.push(...validateInvariants(path.child('properties').key(name), field, 'field'));
  if (schema.additionalProperties !== undefined) {
    const at = path.child('additionalProperties');
    if (level === 'root') errors.push(forbiddenField(at, 'must not be used at the root'));
    if (additional) errors.push(...validateInvariants(at, additional, 'field'));
    if (embedded) errors.push(forbiddenField(at, 'must not be used if x-kubernetes-embedded-resource is set'));
  }
  if (isIntOrString && preserves)
    errors.push(
      invalidValue(
        path.child('x-kubernetes-preserve-unknown-fields'),
        true,
        'must be false if x-kubernetes-int-or-string is true',
      ),
    );
  if (isIntOrString && embedded)
    errors.push(
      invalidValue(
        path.child('x-kubernetes-embedded-resource'),
        true,
        'must be false if x-kubernetes-int-or-string is true',
      ),
    );
  errors.push(...validateValues(path, schema, level));

  const embeddedType = 'must be object if x-kubernetes-embedded-resource is true';
  if (embedded && type !== 'object')
    errors.push(
      type === '' ? required(path.child('type'), embeddedType) : invalidValue(path.child('type'), type, embeddedType),
    );
  else if (type === '' && !isIntOrString && !preserves) errors.push(required(path.child('type'), missingType[level]));
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalidValue(path.child('type'), type, 'must be object at the root'));
  if (embedded && !preserves && properties(schema).length === 0)
    errors.push(
      required(
        path.child('properties'),
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
  return [...errors, ...validateTypeMeta(path, schema, level)];
}

/** apiVersion, kind and metadata mean what they mean everywhere, at the root and in embedded resources. */
function validateTypeMeta(path: FieldPath, schema: JSONSchemaProps, level: Level): FieldError[] {
  const checked = level === 'root' || schema['x-kubernetes-embedded-resource'] === true;
  const errors: FieldError[] = [];
  for (const name of ['kind', 'apiVersion']) {
    const field = property(schema, name);
    if (field && checked && field.type !== 'string')
      errors.push(invalidValue(path.child('properties').key(name).child('type'), field.type ?? '', 'must be string'));
  }
  const metadata = property(schema, 'metadata');
  if (!metadata) return errors;
  const at = path.child('properties').key('metadata');
  if (checked && metadata.type !== 'object')
    errors.push(invalidValue(at.child('type'), metadata.type ?? '', 'must be object'));
  if (level !== 'root') return errors;
  const { type: _type, default: _default, description: _description, properties: fields, ...rest } = metadata;
  const onlyNames = Object.keys(fields ?? {}).every((name) => name === 'name' || name === 'generateName');
  if (!onlyNames || Object.keys(rest).length > 0)
    errors.push(
      forbiddenField(
        at,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  return errors;
}

/** The junctors and the pattern of a schema. */
function validateValues(path: FieldPath, schema: JSONSchemaProps, level: Level, skipFirstAnyOf = false): FieldError[] {
  const errors: FieldError[] = [];
  const { anyOf = [], allOf = [], oneOf = [], not, pattern } = schema;
  const structural = schema['x-kubernetes-int-or-string'] === true || skipFirstAnyOf;
  if (!(structural && semanticEqual(anyOf, intOrString)) && !isIntOrStringPattern(anyOf))
    anyOf.forEach((nested, index) => {
      errors.push(...validateNested(path.child('anyOf').index(index), nested, level));
    });
  allOf.forEach((nested, index) => {
    errors.push(
      ...validateNested(
        path.child('allOf').index(index),
        nested,
        level,
        index === 0 && isIntOrStringPattern(nested.anyOf ?? []),
      ),
    );
  });
  oneOf.forEach((nested, index) => {
    errors.push(...validateNested(path.child('oneOf').index(index), nested, level));
  });
  if (not) errors.push(...validateNested(path.child('not'), not, level));
  if (pattern) {
    try {
      compileRegularExpression(pattern);
    } catch (error) {
      errors.push(
        invalidValue(
          path.child('pattern'),
          pattern,
          `must be a valid regular expression, but isn't: error parsing regexp: ${(error as Error).message}`,
        ),
      );
    }
  }
  return errors;
}

const isIntOrStringPattern = (anyOf: readonly JSONSchemaProps[]) => semanticEqual(anyOf, intOrString);

function validateNested(path: FieldPath, schema: JSONSchemaProps, level: Level, skipAnyOf = false): FieldError[] {
  const errors = validateValues(path, skipAnyOf ? { ...schema, anyOf: [] } : schema, level);
  const items = itemsSchema(schema);
  if (items) errors.push(...validateNested(path.child('items'), items, level));
  for (const [name, field] of properties(schema))
    errors.push(...validateNested(path.child('properties').key(name), field, 'field'));
  const must = (field: keyof JSONSchemaProps, state: string) => {
    const value = schema[field];
    if (value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0)) return;
    errors.push(forbiddenField(path.child(field), `must be ${state} to be structural`));
  };
  must('type', 'empty');
  if (schema.additionalProperties !== undefined)
    errors.push(forbiddenField(path.child('additionalProperties'), 'must be undefined to be structural'));
  must('default', 'undefined');
  must('title', 'empty');
  must('description', 'empty');
  must('nullable', 'false');
  must('externalDocs', 'undefined');
  must('x-kubernetes-preserve-unknown-fields', 'false');
  must('x-kubernetes-embedded-resource', 'false');
  must('x-kubernetes-int-or-string', 'false');
  must('x-kubernetes-list-map-keys', 'empty');
  must('x-kubernetes-list-type', 'undefined');
  must('x-kubernetes-map-type', 'undefined');
  must('x-kubernetes-validations', 'empty');
  if (property(schema, 'metadata'))
    errors.push(forbiddenField(path.child('properties').key('metadata'), 'must not be specified in a nested context'));
  return errors;
}

/** What is named inside a junctor must be named outside of it too. */
function validateCompleteness(path: FieldPath, schema: JSONSchemaProps): FieldError[] {
  const errors = completeJunctors(path, path, schema, schema);
  const items = itemsSchema(schema);
  if (items) errors.push(...validateCompleteness(path.child('items'), items));
  for (const [name, field] of properties(schema))
    errors.push(...validateCompleteness(path.child('properties').key(name), field));
  const additional = additionalPropertiesSchema(schema);
  if (additional) errors.push(...validateCompleteness(path.child('additionalProperties'), additional));
  return errors;
}

function completeJunctors(
  outside: FieldPath,
  inside: FieldPath,
  values: JSONSchemaProps,
  structure: JSONSchemaProps,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const)
    (values[junctor] ?? []).forEach((nested, index) => {
      errors.push(...completeNested(outside, inside.child(junctor).index(index), nested, structure));
    });
  if (values.not) errors.push(...completeNested(outside, inside.child('not'), values.not, structure));
  return errors;
}

function completeNested(
  outside: FieldPath,
  inside: FieldPath,
  values: JSONSchemaProps,
  structure: JSONSchemaProps | undefined,
): FieldError[] {
  if (!structure) return [required(outside, `because it is defined in ${inside}`)];
  const errors = completeJunctors(outside, inside, values, structure);
  const items = itemsSchema(values);
  if (items)
    errors.push(...completeNested(outside.child('items'), inside.child('items'), items, itemsSchema(structure)));
  for (const [name, field] of properties(values))
    errors.push(
      ...completeNested(
        outside.child('properties').key(name),
        inside.child('properties').key(name),
        field,
        property(structure, name),
      ),
    );
  return errors;
}
