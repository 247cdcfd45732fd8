import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isQualifiedName } from '../../apimachinery/names.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { nodeLabelMessage } from '../core/node-label-warnings.ts';
import { validateTolerations } from '../core/pod-spec/scheduling.ts';
import { defineKind } from '../define.ts';
import { atLeastZero, immutable, invalidFor } from '../field-checks.ts';
import type { RuntimeClass } from '../types/node.v1.gen.ts';

const handler = FieldPath.of('handler');

export const runtimeClass = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  requireResourceVersionOnUpdate: true,
  validate: (object) => [
    ...(object.handler ? invalidFor(handler, object.handler, isDns1123Label(object.handler)) : [required(handler)]),
    ...validateOverhead(object.overhead?.podFixed ?? {}),
    ...validateLabels(object.scheduling?.nodeSelector, FieldPath.of('scheduling', 'nodeSelector')),
    ...validateTolerations(object.scheduling?.tolerations, FieldPath.of('scheduling', 'tolerations')),
  ],
  validateUpdate: (object, old) => immutable(handler, object.handler, old.handler),
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((label) => {
      const message = nodeLabelMessage(label);
      return message ? [`scheduling.nodeSelector: ${message}`] : [];
    }),
  columns: [
    nameColumn,
    column('Handler', (object) => object.handler, { description: 'Name by which the runtime knows it' }),
    ageColumn,
  ],
});

function validateOverhead(podFixed: Readonly<Record<string, string>>): FieldError[] {
  return Object.entries(podFixed).flatMap(([resource, quantity]) => {
    const path = FieldPath.of('overhead', 'limits').key(resource);
    return [
      ...invalidFor(path, resource, isQualifiedName(resource)),
      ...(parseQuantity(quantity).sign() < 0 ? [invalidValue(path, quantity, atLeastZero)] : []),
    ];
  });
}
