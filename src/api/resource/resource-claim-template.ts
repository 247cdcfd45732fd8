import { type FieldError, FieldPath, forbiddenField, invalidValue } from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { internalForm } from '../core/internal-form.ts';
import { validateAnnotations } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { immutableMessage, semanticEqual } from '../field-checks.ts';
import type { ResourceClaimTemplate } from '../types/resource.v1.gen.ts';
import { defaultClaimSpec, validateClaimSpec } from './device-claim.ts';

const spec = FieldPath.of('spec');

export const resourceClaimTemplate = defineKind<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  default: (object) => defaultClaimSpec(object.spec?.spec),
  validateCreate: (object) => [
    ...validateTemplateMetadata(spec.child('metadata'), object.spec?.metadata ?? {}),
    ...validateClaimSpec(spec.child('spec'), object.spec?.spec),
  ],
  validateUpdate: (object, old) =>
    semanticEqual(object.spec, old.spec) ? [] : [invalidValue(spec, internalSpec(object.spec), immutableMessage)],
});

/** The spec as errors show it. */
const internalSpec = ({ metadata, spec }: ResourceClaimTemplate['spec']) => ({
  ...metadata,
  Spec: internalForm('ResourceClaimSpec', spec),
});

/** Labels and annotations alone are handed on to claims. */
function validateTemplateMetadata(
  path: FieldPath,
  metadata: NonNullable<ResourceClaimTemplate['spec']['metadata']>,
): FieldError[] {
  const others = Object.entries(metadata).filter(
    ([field, value]) => field !== 'labels' && field !== 'annotations' && value !== null && value !== '',
  );
  return [
    ...validateAnnotations(metadata.annotations, path.child('annotations')),
    ...validateLabels(metadata.labels, path.child('labels')),
    // By the names that the server's own type has.
    ...others.map(([field]) =>
      forbiddenField(
        path.child(field === 'uid' ? 'UID' : field.charAt(0).toUpperCase() + field.slice(1)),
        'cannot be set',
      ),
    ),
  ];
}
