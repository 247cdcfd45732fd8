import type { UserInfo } from '../../sdk/user.ts';
import type { MetricSource } from '../health/exposition.ts';
import type { RequestContext, RequestHeaders } from './request-context.ts';
import type { RequestInfo } from './request-info.ts';
import type { Result } from './result.ts';

/** What the audit log is told of a request when it comes. */
export interface AuditedRequest {
  /** Made up when absent. */
  readonly auditId?: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: RequestHeaders;
  readonly remoteAddress?: string;
}

/** Where the audit log hooks in. Nothing of it throws. */
export interface AuditTrail {
  /** Undefined: not recorded. `requester` is who authenticated, whomever they act as. */
  begin(request: AuditedRequest, info: RequestInfo, requester: UserInfo): AuditRecord | undefined;
  /** Nobody authenticated. */
  unauthenticated(request: AuditedRequest, info: RequestInfo): void;
  readonly families: MetricSource;
}

export interface AuditRecord {
  /** Resolves whether the request may go on; undefined when it need not wait. */
  readonly received: Promise<boolean> | undefined;
  /** What is shown as the event's annotations. */
  readonly annotations: Map<string, string>;
  /** Further events say whom the request is done as, and the verb that allowed it for this sort of request alone. */
  impersonated(user: UserInfo, constraint: string | undefined): void;
  /** `read`, which also remembers what it has read. */
  readBody(read: RequestContext['readBody']): RequestContext['readBody'];
  /** `result`, which also tells when a watch or stream begins and, with `untilOver`, when it is over. */
  answer(result: Result, untilOver: boolean): Result;
  /** The answer is written. What was not a watch or stream, and not `untilOver` one, ends here. */
  end(statusCode: number): void;
  /** The request failed. */
  fail(error: unknown): void;
}
