import { FieldPath } from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { defineKind } from '../define.ts';
import { immutable } from '../field-checks.ts';
import type { ResourceClaimTemplate } from '../types/resource.v1.gen.ts';
import { defaultClaimSpec, validateClaimSpec } from './device-claim.ts';

const spec = FieldPath.of('spec');

export const resourceClaimTemplate = defineKind<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  default: (object) => defaultClaimSpec(object.spec?.spec),
  validateCreate: (object) => [
    ...validateLabels(object.spec?.metadata?.labels, spec.child('metadata', 'labels')),
    ...validateClaimSpec(spec.child('spec'), object.spec?.spec),
  ],
  validateUpdate: (object, old) => immutable(spec, object.spec, old.spec),
});
