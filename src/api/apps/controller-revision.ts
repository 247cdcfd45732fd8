import { FieldPath, required } from '../../apimachinery/field.ts';
import { controllerOf, parseApiVersion } from '../../apimachinery/meta.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable, nonNegative } from '../field-checks.ts';
import type { ControllerRevision } from '../types/apps.v1.gen.ts';

const data = FieldPath.of('data');

export const controllerRevision = defineKind<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  validate: (object) => [
    ...(object.data === undefined || object.data === null ? [required(data, 'data is mandatory')] : []),
    ...nonNegative(FieldPath.of('revision'), object.revision),
  ],
  validateUpdate: (object, old) => immutable(data, object.data, old.data),
  columns: [
    nameColumn,
    column('Controller', controllerName, { description: 'Controller of the object' }),
    column('Revision', (object) => object.revision ?? 0, { description: 'Number of the revision' }),
    ageColumn,
  ],
});

function controllerName(object: ControllerRevision): string {
  const controller = controllerOf(object);
  if (!controller) return '<none>';
  const { group } = parseApiVersion(controller.apiVersion);
  return `${controller.kind}${group ? `.${group}` : ''}`.toLowerCase().concat(`/${controller.name}`);
}
