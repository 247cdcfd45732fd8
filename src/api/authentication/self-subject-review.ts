import { defineKind } from '../define.ts';
import type { SelfSubjectReview } from '../types/authentication.v1.gen.ts';

export const selfSubjectReview = defineKind<SelfSubjectReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  virtual: true,
  nameFormat: { validate: () => [] },
});
