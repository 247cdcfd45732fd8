import type { TokenRequest } from '../../../api/types/authentication.v1.gen.ts';
import type { NonResourceRule, ResourceRule } from '../../../sdk/authorization.ts';
import type { UserInfo } from '../../../sdk/user.ts';

export interface RulesReview {
  readonly resource: readonly ResourceRule[];
  readonly nonResource: readonly NonResourceRule[];
  readonly incomplete?: boolean;
  readonly evaluationError?: string;
}

/** Lists what a user may do, for SelfSubjectRulesReview. */
export interface RulesReviewer {
  rulesFor(user: UserInfo, namespace: string): RulesReview | undefined;
}

/** Answers a request for a ServiceAccount token with its status filled in. Throws StatusError. */
export type TokenRequester = (namespace: string, name: string, request: TokenRequest) => Promise<TokenRequest>;
