import { defineKind } from '../define.ts';
import type { TokenReview } from '../types/authentication.v1.gen.ts';

export const tokenReview = defineKind<TokenReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  virtual: true,
  nameFormat: { validate: () => [] },
});
