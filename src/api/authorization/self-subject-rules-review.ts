import { defineKind } from '../define.ts';
import type { SelfSubjectRulesReview } from '../types/authorization.v1.gen.ts';

export const selfSubjectRulesReview = defineKind<SelfSubjectRulesReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  virtual: true,
  nameFormat: { validate: () => [] },
});
