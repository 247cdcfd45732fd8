import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { defineKind } from '../define.ts';
import type { LocalSubjectAccessReview } from '../types/authorization.v1.gen.ts';
import { validateAttributes, validateNoMetadata, validateSubject } from './access-attributes.ts';

const spec = FieldPath.of('spec');

export const localSubjectAccessReview = defineKind<LocalSubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  virtual: true,
  nameFormat: { validate: () => [] },
  validate: (object) => [
    ...validateAttributes(object.spec ?? {}),
    ...validateSubject(object.spec ?? {}),
    ...validateNoMetadata(object.metadata, true),
    ...validateLocal(object),
  ],
});

function validateLocal({ metadata, spec: review }: LocalSubjectAccessReview): FieldError[] {
  const { resourceAttributes, nonResourceAttributes } = review ?? {};
  const errors: FieldError[] = [];
  if (resourceAttributes && (resourceAttributes.namespace ?? '') !== (metadata.namespace ?? ''))
    errors.push(
      invalidValue(
        spec.child('resourceAttributes', 'namespace'),
        resourceAttributes.namespace ?? '',
        'must match metadata.namespace',
      ),
    );
  if (nonResourceAttributes)
    errors.push(
      invalidValue(spec.child('nonResourceAttributes'), nonResourceAttributes, 'disallowed on this kind of request'),
    );
  return errors;
}
