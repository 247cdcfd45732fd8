import type { UserInfo } from '../../sdk/user.ts';
import type { AuditUser } from './audit-event.ts';

export function auditUser({ name, uid, groups, extra }: UserInfo): AuditUser {
  return {
    username: name,
    ...(uid ? { uid } : {}),
    ...(groups.length ? { groups } : {}),
    ...(extra && Object.keys(extra).length ? { extra } : {}),
  };
}
