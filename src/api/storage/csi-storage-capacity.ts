import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { hasInvalidLabelValue, validateLabelSelector } from '../../apimachinery/labels.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { column, nameColumn } from '../columns.ts';
import { nodeLabelMessage } from '../core/node-label-warnings.ts';
import { defineKind } from '../define.ts';
import { atLeastZero, immutable, invalidFor } from '../field-checks.ts';
import type { CSIStorageCapacity } from '../types/storage.v1.gen.ts';

const at = (field: string) => FieldPath.of(field);

export const csiStorageCapacity = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  requireResourceVersionOnUpdate: true,
  validate: (object, old) => [
    ...validateLabelSelector(object.nodeTopology, at('nodeTopology'), hasInvalidLabelValue(old?.nodeTopology)),
    ...invalidFor(
      at('storageClassName'),
      object.storageClassName ?? '',
      isDns1123Subdomain(object.storageClassName ?? ''),
    ),
    ...nonNegativeQuantity(at('capacity'), object.capacity),
  ],
  validateUpdate: (object, old) => [
    ...immutable(at('nodeTopology'), object.nodeTopology, old.nodeTopology),
    ...immutable(at('storageClassName'), object.storageClassName, old.storageClassName),
  ],
  warnings: ({ nodeTopology }) => [
    ...(nodeTopology?.matchExpressions ?? []).flatMap(({ key }, index) => {
      const path = at('nodeTopology').child('matchExpressions').index(index).child('key');
      const message = nodeLabelMessage(key);
      return message ? [`${path}: ${key} is ${message}`] : [];
    }),
    ...Object.keys(nodeTopology?.matchLabels ?? {}).flatMap((label) => {
      const message = nodeLabelMessage(label);
      return message ? [`${at('nodeTopology').child('matchLabels').child(label)}: ${message}`] : [];
    }),
  ],
  columns: [
    nameColumn,
    column('StorageClassName', (object) => object.storageClassName, { description: 'StorageClass it is about' }),
    column('Capacity', (object) => object.capacity ?? '<unset>', { description: 'Room that is left' }),
  ],
});

function nonNegativeQuantity(path: FieldPath, quantity: string | undefined): FieldError[] {
  return quantity !== undefined && parseQuantity(quantity).sign() < 0
    ? [invalidValue(path, quantity, atLeastZero)]
    : [];
}
