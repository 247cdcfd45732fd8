import { FieldPath } from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { nodeLabelMessage } from '../core/node-label-warnings.ts';
import { validateResourceRequirements } from '../core/pod-spec/resources.ts';
import { validateTolerations } from '../core/pod-spec/scheduling.ts';
import { defineKind } from '../define.ts';
import { immutable, invalidFor } from '../field-checks.ts';
import type { RuntimeClass } from '../types/node.v1.gen.ts';

const handler = FieldPath.of('handler');
const noClaims: ReadonlySet<string> = new Set();

export const runtimeClass = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  requireResourceVersionOnUpdate: true,
  validate: (object) => [
    ...invalidFor(handler, object.handler ?? '', isDns1123Label(object.handler ?? '')),
    ...validateResourceRequirements({ limits: object.overhead?.podFixed ?? {} }, FieldPath.of('overhead'), noClaims),
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
