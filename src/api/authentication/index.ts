import type { KindDefinition } from '../kind.ts';
import { selfSubjectReview } from './self-subject-review.ts';
import { tokenReview } from './token-review.ts';

/** Reviews are answered, never stored: a handler of the API server's fills their status. */
export const kinds: readonly KindDefinition[] = [selfSubjectReview, tokenReview];
