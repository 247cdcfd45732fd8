import { duplicate, type FieldError, FieldPath, required } from '../../apimachinery/field.ts';
import { validateLabelName } from '../../apimachinery/labels.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { nodeLabelMessage } from '../core/node-label-warnings.ts';
import { defineKind } from '../define.ts';
import { immutable, optionalOneOf, repeatedIndexes, requiredOneOf } from '../field-checks.ts';
import type { StorageClass } from '../types/storage.v1.gen.ts';
import { validateDriver, validateParameters } from './parameters.ts';

const at = (field: string) => FieldPath.of(field);
const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

export function isDefaultStorageClass({ metadata }: StorageClass): boolean {
  return defaultAnnotations.some((annotation) => metadata.annotations?.[annotation] === 'true');
}

export const storageClass = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  default: (object) => {
    object.reclaimPolicy ??= 'Delete';
    object.volumeBindingMode ??= 'Immediate';
  },
  validate: (object) => [
    ...validateDriver(at('provisioner'), object.provisioner),
    ...validateParameters(at('parameters'), object.parameters, true),
    ...optionalOneOf(at('reclaimPolicy'), object.reclaimPolicy || undefined, ['Delete', 'Retain']),
    ...requiredOneOf(at('volumeBindingMode'), object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    ...validateTopologies(object.allowedTopologies ?? []),
  ],
  validateUpdate: (object, old) =>
    (['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const).flatMap((field) =>
      immutable(at(field), object[field], old[field]),
    ),
  warnings: ({ allowedTopologies = [] }) =>
    allowedTopologies.flatMap(({ matchLabelExpressions = [] }, index) =>
      matchLabelExpressions.flatMap(({ key }, i) => {
        const path = at('allowedTopologies').index(index).child('matchLabelExpressions').index(i).child('key');
        const message = nodeLabelMessage(key);
        return message ? [`${path}: ${message}`] : [];
      }),
    ),
  columns: [
    { ...nameColumn, value: (object) => object.metadata.name + (isDefaultStorageClass(object) ? ' (default)' : '') },
    column('Provisioner', (object) => object.provisioner, { description: 'Driver that provisions the volumes' }),
    column('ReclaimPolicy', (object) => object.reclaimPolicy ?? 'Delete', {
      description: 'What happens to a volume that its claim releases',
    }),
    column('VolumeBindingMode', (object) => object.volumeBindingMode ?? 'Immediate', {
      description: 'When volumes are provisioned and bound',
    }),
    column('AllowVolumeExpansion', (object) => object.allowVolumeExpansion ?? false, {
      description: 'Whether volumes may grow',
    }),
    ageColumn,
  ],
});

function validateTopologies(terms: NonNullable<StorageClass['allowedTopologies']>): FieldError[] {
  const errors: FieldError[] = [];
  const repeated = repeatedIndexes(
    terms.map(({ matchLabelExpressions = [] }) =>
      JSON.stringify(matchLabelExpressions.map(({ key, values = [] }) => [key, [...values].sort()]).sort()),
    ),
  );
  terms.forEach(({ matchLabelExpressions = [] }, index) => {
    const path = at('allowedTopologies').index(index).child('matchLabelExpressions');
    const keys = new Set<string>();
    matchLabelExpressions.forEach(({ key, values = [] }, i) => {
      const expression = path.index(i);
      errors.push(...validateLabelName(key, expression.child('key')));
      if (values.length === 0) errors.push(required(expression.child('values')));
      for (const j of repeatedIndexes(values)) errors.push(duplicate(expression.child('values').index(j), values[j]));
      if (keys.has(key)) errors.push(duplicate(expression.child('key'), key));
      keys.add(key);
    });
    if (repeated.has(index)) errors.push(duplicate(path, ''));
  });
  return errors;
}
