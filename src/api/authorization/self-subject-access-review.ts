import { defineKind } from '../define.ts';
import type { SelfSubjectAccessReview } from '../types/authorization.v1.gen.ts';
import { validateAttributes, validateNoMetadata } from './access-attributes.ts';

export const selfSubjectAccessReview = defineKind<SelfSubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  virtual: true,
  nameFormat: { validate: () => [] },
  validate: (object) => [...validateAttributes(object.spec ?? {}), ...validateNoMetadata(object.metadata)],
});
