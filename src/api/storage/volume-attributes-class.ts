import { FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { semanticEqual } from '../field-checks.ts';
import type { VolumeAttributesClass } from '../types/storage.v1.gen.ts';
import { validateDriver, validateParameters } from './parameters.ts';

const defaultAnnotation = 'storageclass.kubernetes.io/is-default-class';

export const volumeAttributesClass = defineKind<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  validate: (object) => [
    ...validateDriver(FieldPath.of('driverName'), object.driverName),
    ...validateParameters(FieldPath.of('parameters'), object.parameters, false),
  ],
  validateUpdate: (object, old) =>
    (['driverName', 'parameters'] as const).flatMap((field) =>
      semanticEqual(object[field], old[field])
        ? []
        : [forbiddenField(FieldPath.of(field), `updates to ${field} are forbidden.`)],
    ),
  columns: [
    {
      ...nameColumn,
      value: ({ metadata }) =>
        metadata.name + (metadata.annotations?.[defaultAnnotation] === 'true' ? ' (default)' : ''),
    },
    column('DriverName', (object) => object.driverName, { description: 'CSI driver it is for' }),
    ageColumn,
  ],
});
