import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { optionalOneOf, repeatedIndexes } from '../field-checks.ts';
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions.v1.gen.ts';
import { additionalPropertiesSchema, hasTupleItems, itemsSchema, properties, property } from './schema-children.ts';

/** Which parts of JSON schema a CRD may use, and how; that the whole is structural is checked apart. */

interface Context {
  readonly root?: boolean;
  readonly insideMetadata?: boolean;
  /** Why no default may be given here. */
  readonly forbidDefaults?: string;
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const junctors = ['allOf', 'oneOf', 'anyOf'] as const;

export function validateOpenApiSchema(
  path: FieldPath,
  schema: JSONSchemaProps,
  context: Context = { root: true },
): FieldError[] {
  const inner = (changes: Context = {}): Context => ({ ...context, root: false, ...changes });
  const errors = validateKeywords(path, schema, context);
  const additional = additionalPropertiesSchema(schema);
  if (
    schema.additionalProperties !== undefined &&
    properties(schema).length > 0 &&
    schema.additionalProperties !== true
  )
    errors.push(
      forbiddenField(path.child('additionalProperties'), 'additionalProperties and properties are mutual exclusive'),
    );
  if (additional)
    errors.push(
      ...validateOpenApiSchema(
        path.child('additionalProperties'),
        additional,
        inner(
          context.insideMetadata ? { forbidDefaults: 'inside additionalProperties applying to object metadata' } : {},
        ),
      ),
    );
  for (const [name, field] of properties(schema)) {
    const meta =
      (context.root || schema['x-kubernetes-embedded-resource']) && ['metadata', 'kind', 'apiVersion'].includes(name);
    const changes: Context = meta
      ? { insideMetadata: true, ...(context.root ? { forbidDefaults: `in top-level ${name}` } : {}) }
      : {};
    errors.push(...validateOpenApiSchema(path.child('properties').key(name), field, inner(changes)));
  }
  if (schema.not) errors.push(...validateOpenApiSchema(path.child('not'), schema.not, inner()));
  for (const junctor of junctors)
    (schema[junctor] ?? []).forEach((nested, index) => {
      errors.push(...validateOpenApiSchema(path.child(junctor).index(index), nested, inner()));
    });
  const items = itemsSchema(schema);
  if (items) errors.push(...validateOpenApiSchema(path.child('items'), items, inner()));
  return [...errors, ...validateExtensions(path, schema), ...validateListType(path, schema)];
}

function validateKeywords(path: FieldPath, schema: JSONSchemaProps, context: Context): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.type === 'null')
    errors.push(forbiddenField(path.child('type'), 'type cannot be set to null, use nullable as an alternative'));
  else if (schema.type && !types.includes(schema.type))
    errors.push(notSupported(path.child('type'), schema.type, types));
  if (schema.default !== undefined && context.forbidDefaults)
    errors.push(forbiddenField(path.child('default'), `must not be set ${context.forbidDefaults}`));
  const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const;
  for (const keyword of unsupported) {
    const value = schema[keyword];
    if (value === undefined || value === '') continue;
    errors.push(forbiddenField(path.child(keyword), `${keyword} is not supported`));
  }
  if (hasTupleItems(schema))
    errors.push(forbiddenField(path.child('items'), 'items must be a schema object and not an array'));
  if (context.insideMetadata && schema['x-kubernetes-embedded-resource'])
    errors.push(
      forbiddenField(path.child('x-kubernetes-embedded-resource'), 'must not be used inside of resource meta'),
    );
  if (schema.uniqueItems)
    errors.push(
      forbiddenField(
        path.child('uniqueItems'),
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  return errors;
}

function validateExtensions(path: FieldPath, schema: JSONSchemaProps): FieldError[] {
  const errors: FieldError[] = [];
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalidValue(path.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'));
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined) {
    errors.push(...mustHaveType(path, schema, 'object', 'x-kubernetes-map-type'));
    errors.push(...optionalOneOf(path.child('x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
  }
  (schema['x-kubernetes-validations'] ?? []).forEach((rule, index) => {
    errors.push(...validateRule(path.child('x-kubernetes-validations').index(index), rule));
  });
  return errors;
}

function mustHaveType(path: FieldPath, schema: JSONSchemaProps, type: string, because: string): FieldError[] {
  const detail = `must be ${type} if ${because} is specified`;
  if (!schema.type) return [required(path.child('type'), detail)];
  return schema.type === type ? [] : [invalidValue(path.child('type'), schema.type, detail)];
}

function validateListType(path: FieldPath, schema: JSONSchemaProps): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const at = path.child('x-kubernetes-list-type');
  const keysPath = path.child('x-kubernetes-list-map-keys');
  const items = itemsSchema(schema);
  const errors: FieldError[] = [];
  if (listType !== undefined) {
    const wrongType = mustHaveType(path, schema, 'array', 'x-kubernetes-list-type');
    errors.push(...wrongType);
    if (wrongType.length === 0 && listType === 'set' && items) errors.push(...validateSetItems(path, items));
    errors.push(...optionalOneOf(at, listType, ['atomic', 'set', 'map']));
  }
  const needsMap = 'must be map if x-kubernetes-list-map-keys is non-empty';
  if (keys.length > 0 && listType === undefined) errors.push(required(at, needsMap));
  else if (keys.length > 0 && listType !== 'map') errors.push(invalidValue(at, listType, needsMap));
  if (listType === 'map') errors.push(...validateMapItems(path, keysPath, keys, schema, items));
  if ((listType === 'map' || listType === 'set') && items?.nullable)
    errors.push(
      forbiddenField(path.child('items', 'nullable'), `cannot be nullable when x-kubernetes-list-type is ${listType}`),
    );
  return errors;
}

function validateSetItems(path: FieldPath, items: JSONSchemaProps): FieldError[] {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'];
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalidValue(path.child('items', 'x-kubernetes-list-type'), listType, detail)];
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    return [invalidValue(path.child('items', 'x-kubernetes-map-type'), items['x-kubernetes-map-type'], detail)];
  return [];
}

function validateMapItems(
  path: FieldPath,
  keysPath: FieldPath,
  keys: readonly string[],
  schema: JSONSchemaProps,
  items: JSONSchemaProps | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  if (keys.length === 0) errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
  if (schema.items === undefined)
    errors.push(required(path.child('items'), 'must have a schema if x-kubernetes-list-type is map'));
  if (!items) return errors;
  if (items.type !== 'object')
    return [
      ...errors,
      invalidValue(
        path.child('items', 'type'),
        items.type ?? '',
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    ];
  const repeated = repeatedIndexes(keys);
  keys.forEach((key, index) => {
    const field = property(items, key);
    const at = path.child('items', 'properties').key(key);
    if (!field) errors.push(invalidValue(keysPath, keys, 'entries must all be names of item properties'));
    else if (field.type === 'array' || field.type === 'object')
      errors.push(
        invalidValue(
          at.child('type'),
          field.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (repeated.has(index)) errors.push(invalidValue(keysPath, keys, 'must not contain duplicate entries'));
    if (!field) return;
    if (!items.required?.includes(key) && field.default === undefined)
      errors.push(
        required(
          at.child('default'),
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
    if (field.nullable)
      errors.push(
        forbiddenField(
          at.child('nullable'),
          'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
        ),
      );
  });
  return errors;
}

/** The expressions themselves are compiled by the API server, when the CRD is established. */
function validateRule(path: FieldPath, given: ValidationRule): FieldError[] {
  const { rule = '', message = '', messageExpression = '', reason, fieldPath = '' } = given;
  const lines = /[\n\r]/;
  const nonEmpty = 'must be non-empty if specified';
  const errors: FieldError[] = [];
  if (rule.trim() === '') errors.push(required(path.child('rule'), 'rule is not specified'));
  else if (message !== '' && message.trim() === '')
    errors.push(invalidValue(path.child('message'), message, `message ${nonEmpty}`));
  else if (lines.test(message.trim()))
    errors.push(invalidValue(path.child('message'), message, 'message must not contain line breaks'));
  else if (lines.test(rule.trim()) && message.trim() === '')
    errors.push(required(path.child('message'), 'message must be specified if rule contains line breaks'));
  if (messageExpression !== '' && messageExpression.trim() === '')
    errors.push(required(path.child('messageExpression'), `messageExpression ${nonEmpty}`));
  errors.push(...optionalOneOf(path.child('reason'), reason, reasons));
  if (fieldPath !== '' && fieldPath.trim() === '')
    errors.push(invalidValue(path.child('fieldPath'), fieldPath, `fieldPath ${nonEmpty}`));
  if (lines.test(fieldPath))
    errors.push(invalidValue(path.child('fieldPath'), fieldPath, 'fieldPath must not contain line breaks'));
  return errors;
}
