import type { AuditEvent, AuditLine } from './audit-event.ts';

const TRUNCATED = 'audit.k8s.io/truncated';

export function bytesOf(line: AuditLine): number {
  if (typeof line === 'string') return Buffer.byteLength(line);
  return line.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
}

/** The JSON of the event without its objects, which it says. */
export function truncatedLine({ requestObject: _, responseObject: __, ...event }: AuditEvent): string {
  return JSON.stringify({ ...event, annotations: { ...event.annotations, [TRUNCATED]: 'true' } });
}

/** The event as a line of text. */
export function legacyLine(event: AuditEvent): string {
  const { user, impersonatedUser, responseStatus } = event;
  const quoted: readonly (readonly [string, string])[] = [
    ['id', event.auditID],
    ['stage', event.stage],
    ['ip', event.sourceIPs?.[0] ?? '<unknown>'],
    ['method', event.verb],
    ['user', user.username || '<none>'],
    ['groups', (user.username && listed(user.groups)) || '<none>'],
    ['as', impersonatedUser ? (impersonatedUser.username ?? '') : '<self>'],
    ['asgroups', listed(impersonatedUser?.groups) ?? '<lookup>'],
    ['user-agent', event.userAgent ?? ''],
    ['namespace', event.objectRef?.namespace || '<none>'],
    ['uri', event.requestURI],
    ['response', responseStatus ? String(responseStatus.code) : '<deferred>'],
  ];
  const fields = quoted.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${event.requestReceivedTimestamp} AUDIT: ${fields.join(' ')}`;
}

const listed = (groups: readonly string[] | undefined) => groups?.map((group) => JSON.stringify(group)).join(',');
