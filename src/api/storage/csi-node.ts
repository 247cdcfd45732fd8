import { duplicate, type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutableMessage, invalidFor, nonNegative, repeatedIndexes, semanticEqual } from '../field-checks.ts';
import type { CSINode, CSINodeDriver } from '../types/storage.v1.gen.ts';
import { validateCsiDriverName } from './parameters.ts';

const path = FieldPath.of('spec', 'drivers');
const maxNodeIdLength = 256;

export const csiNode = defineKind<CSINode>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  requireResourceVersionOnUpdate: true,
  validate: (object) => validateDrivers(object.spec?.drivers ?? []),
  // An entry may be added or removed; in one that stays, only the volume limit may change.
  validateUpdate: (object, old) => {
    const fixed = ({ allocatable: _, ...rest }: CSINodeDriver) => rest;
    return (old.spec?.drivers ?? []).flatMap((driver) => {
      const now = object.spec?.drivers?.find(({ name }) => name === driver.name);
      return now && !semanticEqual(fixed(now), fixed(driver))
        ? [invalidValue(path, asInternal(now), immutableMessage)]
        : [];
    });
  },
  columns: [
    nameColumn,
    column('Drivers', ({ spec }) => spec?.drivers?.length ?? 0, {
      type: 'integer',
      description: 'CSI drivers registered on the node',
    }),
    ageColumn,
  ],
});

/** As the server's own type shows it, without what may change. */
const asInternal = ({ name, nodeID, topologyKeys }: CSINodeDriver) => ({
  Name: name,
  NodeID: nodeID,
  TopologyKeys: topologyKeys ?? null,
  Allocatable: null,
});

function validateDrivers(drivers: readonly CSINodeDriver[]): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  drivers.forEach(({ name, nodeID, allocatable, topologyKeys = [] }, index) => {
    const at = path.index(index);
    errors.push(...validateCsiDriverName(at.child('name'), name));
    if (!nodeID) errors.push(required(at.child('nodeID')));
    else if (nodeID.length > maxNodeIdLength)
      errors.push(invalidValue(at.child('nodeID'), nodeID, `must be ${maxNodeIdLength} characters or less`));
    errors.push(...nonNegative(at.child('allocatable', 'count'), allocatable?.count));
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    const repeated = repeatedIndexes(topologyKeys);
    topologyKeys.forEach((key, i) => {
      if (key === '') errors.push(required(at));
      if (repeated.has(i)) errors.push(duplicate(at, key));
      errors.push(...invalidFor(at, key, isQualifiedName(key)));
    });
  });
  return errors;
}
