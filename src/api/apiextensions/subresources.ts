import {
  duplicate,
  type FieldError,
  type FieldPath,
  invalidValue,
  required,
  tooMany,
} from '../../apimachinery/field.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceSubresources,
  JSONSchemaProps,
  SelectableField,
} from '../types/apiextensions.v1.gen.ts';
import { property } from './schema-children.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const maxSelectableFields = 8;

export function validateSubresources(
  path: FieldPath,
  subresources: CustomResourceSubresources | undefined,
): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  // One name with a dot in it, as upstream builds the path.
  const at = (field: string) => path.child(`scale.${field}`);
  const errors: FieldError[] = [];
  for (const [field, parent] of [
    ['specReplicasPath', '.spec'],
    ['statusReplicasPath', '.status'],
  ] as const)
    errors.push(
      ...(scale[field]
        ? validatePath(at(field), scale[field], [parent], `should be a json path under ${parent}`)
        : [required(at(field))]),
    );
  if (scale.labelSelectorPath)
    errors.push(
      ...validatePath(
        at('labelSelectorPath'),
        scale.labelSelectorPath,
        ['.spec', '.status'],
        'should be a json path under either .spec or .status',
      ),
    );
  return errors;
}

function validatePath(path: FieldPath, text: string, parents: readonly string[], detail: string): FieldError[] {
  const errors = validateSimpleJsonPath(path, text);
  if (errors.length > 0 || parents.some((parent) => text.startsWith(`${parent}.`))) return errors;
  return [invalidValue(path, text, detail)];
}

function validateSimpleJsonPath(path: FieldPath, text: string): FieldError[] {
  if (text === '') return [invalidValue(path, text, 'must not be empty')];
  return text.startsWith('.') ? [] : [invalidValue(path, text, 'must be a simple json path starting with .')];
}

export function validatePrinterColumn(path: FieldPath, column: CustomResourceColumnDefinition): FieldError[] {
  const { name, type, format, jsonPath } = column;
  const oneOf = (values: readonly string[]) => `must be one of ${values.join(',')}`;
  const errors = name ? [] : [required(path.child('name'))];
  if (!type) errors.push(required(path.child('type'), oneOf(columnTypes)));
  else if (!columnTypes.includes(type)) errors.push(invalidValue(path.child('type'), type, oneOf(columnTypes)));
  if (format && !columnFormats.includes(format))
    errors.push(invalidValue(path.child('format'), format, oneOf(columnFormats)));
  if (!jsonPath) errors.push(required(path.child('jsonPath')));
  else errors.push(...validateSimpleJsonPath(path.child('jsonPath'), jsonPath));
  return errors;
}

export function validateSelectableFields(
  path: FieldPath,
  fields: readonly SelectableField[],
  schema: JSONSchemaProps | undefined,
): FieldError[] {
  if (fields.length === 0) return [];
  if (!schema) return [invalidValue(path, '', 'may only be set when `version.schema.openAPIV3Schema` is not included')];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, index) => {
    const at = path.index(index).child('jsonPath');
    if (!jsonPath) {
      errors.push(required(at));
      return;
    }
    const steps = jsonPath.split('.').slice(1);
    const found = steps.reduce<JSONSchemaProps | undefined>((parent, step) => parent && property(parent, step), schema);
    if (!jsonPath.startsWith('.') || steps.includes('') || (!found && steps[0] !== 'metadata')) {
      errors.push(invalidValue(at, jsonPath, 'is an invalid path: does not refer to a valid field'));
      return;
    }
    if (steps[0] === 'metadata') errors.push(invalidValue(at, jsonPath, 'must not point to fields in metadata'));
    if (!['string', 'boolean', 'integer'].includes(found?.type ?? ''))
      errors.push(
        invalidValue(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      );
    if (seen.has(jsonPath)) errors.push(duplicate(at, jsonPath));
    seen.add(jsonPath);
  });
  if (seen.size > maxSelectableFields) errors.push(tooMany(path, seen.size, maxSelectableFields));
  return errors;
}
