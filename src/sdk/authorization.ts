import type { UserInfo } from './user.ts';

export interface AuthorizationAttributes {
  readonly user: UserInfo;
  /** API verb (`get`, `list`, `impersonate`, ...), or the lower-case HTTP method of a non-resource request. */
  readonly verb: string;
  /** False for paths such as `/healthz`, which have `path` alone. */
  readonly resourceRequest: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface AuthorizationDecision {
  readonly decision: 'allow' | 'deny' | 'noOpinion';
  readonly reason?: string;
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

export interface ListedRules {
  readonly resource: readonly ResourceRule[];
  readonly nonResource: readonly NonResourceRule[];
  /** What of them could not be found. */
  readonly errors?: readonly string[];
}

/** The first decision that is not "no opinion" counts; when all have none the request is denied. A failing authorizer denies. */
export interface Authorizer {
  readonly name: string;
  /** What takes longer counts as a failure; 10 s when absent. */
  readonly deadlineMs?: number;
  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision>;
  /**
   * For SelfSubjectRulesReview; an authorizer that can't list its rules leaves it out, or gives nothing for that user, and
   * the review says `incomplete`.
   */
  rulesFor?(user: UserInfo, namespace: string): ListedRules | undefined;
}
