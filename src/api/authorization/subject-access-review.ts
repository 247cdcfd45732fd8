import { defineKind } from '../define.ts';
import type { SubjectAccessReview } from '../types/authorization.v1.gen.ts';
import { validateAttributes, validateNoMetadata, validateSubject } from './access-attributes.ts';

export const subjectAccessReview = defineKind<SubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  virtual: true,
  nameFormat: { validate: () => [] },
  validate: (object) => [
    ...validateAttributes(object.spec ?? {}),
    ...validateSubject(object.spec ?? {}),
    ...validateNoMetadata(object.metadata),
  ],
});
