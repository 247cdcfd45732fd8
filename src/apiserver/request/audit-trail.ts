import type { StatusError } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { RequestContext } from './request-context.ts';

/** Where the audit log hooks in: it hears of each authenticated request when it comes and when it is answered. */
export interface AuditTrail {
  /** `requester` is who authenticated; `context.user` whom they act as. `undefined`: not recorded. */
  begin(context: RequestContext, requester: UserInfo): AuditRecord | undefined;
}

export interface AuditRecord {
  /** `context.auditAnnotations` is complete by now. */
  end(statusCode: number, error?: StatusError): void;
}
