import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import type { Logger } from '../../apimachinery/logger.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { MetricFamily } from '../health/exposition.ts';
import type { AuditedRequest, AuditRecord, AuditTrail } from '../request/audit-trail.ts';
import { headerOf, type RequestHeaders } from '../request/request-context.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { AuditBackend, AuditEvent, AuditLevel, AuditLine, AuditStage } from './audit-event.ts';
import type { AuditPolicy } from './audit-policy.ts';
import { auditUser } from './audit-user.ts';
import { bytesOf, legacyLine, truncatedLine } from './event-lines.ts';
import { matchingRule } from './matching-rule.ts';
import { RecordedList } from './recorded-list.ts';
import { RequestRecord } from './request-record.ts';

export interface AuditRecorderOptions {
  readonly policy: AuditPolicy;
  readonly backends: readonly AuditBackend[];
  readonly logger: Logger;
  /** Unix time in ms. */
  readonly now?: () => number;
}

/** Makes events of requests as the policy says, for every backend. */
export class AuditRecorder implements AuditTrail {
  readonly #options: AuditRecorderOptions;
  readonly #now: () => number;
  readonly #levels = new Map<AuditLevel, number>();
  readonly #encoding = new Set<Promise<void>>();
  #events = 0;
  #rejected = 0;
  #tooLarge = 0;

  constructor(options: AuditRecorderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.timeOrigin + performance.now());
  }

  begin(request: AuditedRequest, info: RequestInfo, requester: UserInfo): AuditRecord | undefined {
    return this.#record(request, info, requester);
  }

  unauthenticated(request: AuditedRequest, info: RequestInfo): void {
    const record = this.#record(request, info, undefined);
    const tried = headerOf(request.headers, 'authorization') ? 'bearer' : undefined;
    record?.refused(
      tried ? `Authentication failed, attempted: ${tried}` : 'Authentication failed, no credentials provided',
    );
  }

  #record(request: AuditedRequest, info: RequestInfo, user: UserInfo | undefined): RequestRecord | undefined {
    const { policy } = this.#options;
    const rule = matchingRule(policy, info, user);
    const level = rule?.level ?? 'None';
    this.#levels.set(level, (this.#levels.get(level) ?? 0) + 1);
    if (!rule || level === 'None') return undefined;
    const query = request.query.toString();
    const userAgent = headerOf(request.headers, 'user-agent');
    const sourceIPs = sourceAddresses(request.headers, request.remoteAddress);
    const omitted = new Set<AuditStage>([...policy.omitStages, ...rule.omitStages]);
    return new RequestRecord({
      level,
      info,
      omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields,
      upgrade: headerOf(request.headers, 'upgrade') !== undefined,
      head: {
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level,
        auditID: request.auditId ?? randomUUID(),
        requestURI: query ? `${request.path}?${query}` : request.path,
        verb: info.verb,
        user: user ? auditUser(user) : {},
        ...(sourceIPs.length ? { sourceIPs } : {}),
        ...(userAgent ? { userAgent } : {}),
        requestReceivedTimestamp: microTime(this.#now()),
      },
      emit: (stage, event) => (omitted.has(stage) ? undefined : this.#emit(event)),
      time: () => microTime(this.#now()),
    });
  }

  /** Resolves whether it may go on; undefined when nobody has to wait. */
  #emit(event: AuditEvent): Promise<boolean> | undefined {
    this.#events++;
    const failed = (error: unknown) =>
      this.#options.logger.error({ err: error, auditID: event.auditID }, 'an audit event was not recorded');
    if (event.responseObject instanceof RecordedList) {
      const encoding = linesOf(event, event.responseObject)
        .then((line) => void this.#write(event, line), failed)
        .finally(() => this.#encoding.delete(encoding));
      this.#encoding.add(encoding);
      return undefined;
    }
    try {
      return this.#write(event, JSON.stringify(event));
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  /** Resolves when every event so far has been handed to the backends. */
  async settled(): Promise<void> {
    await Promise.all(this.#encoding);
  }

  #write(event: AuditEvent, line: AuditLine): Promise<boolean> | undefined {
    const first = event.stage === 'RequestReceived';
    const waited: Promise<boolean>[] = [];
    for (const backend of this.#options.backends) {
      const given = backend.legacy ? legacyLine(event) : this.#fitted(backend, event, line);
      if (given === undefined) continue;
      if (!first || !backend.waits) backend.write(given);
      else waited.push(backend.send(given).then((stored) => stored || backend.waits !== 'strict'));
    }
    if (waited.length === 0) return undefined;
    return Promise.all(waited).then((all) => {
      const goesOn = all.every(Boolean);
      if (!goesOn) this.#rejected++;
      return goesOn;
    });
  }

  /** What of the event the backend takes; undefined when it is too large even without objects. */
  #fitted({ maxEventBytes }: AuditBackend, event: AuditEvent, line: AuditLine): AuditLine | undefined {
    if (maxEventBytes === undefined || bytesOf(line) <= maxEventBytes) return line;
    if (event.level === 'Request' || event.level === 'RequestResponse') {
      const short = truncatedLine(event);
      if (Buffer.byteLength(short) <= maxEventBytes) return short;
    }
    this.#tooLarge++;
    return undefined;
  }

  readonly families = (): MetricFamily[] => [
    {
      type: 'counter',
      name: 'apiserver_audit_event_total',
      help: 'Counter of audit events generated and sent to the audit backend.',
      samples: [{ labels: {}, value: this.#events }],
    },
    {
      type: 'counter',
      name: 'apiserver_audit_error_total',
      help: 'Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
      samples: [
        ...this.#options.backends.map(({ name, lost }) => ({ labels: { plugin: name }, value: lost })),
        ...(this.#tooLarge ? [{ labels: { plugin: 'truncate' }, value: this.#tooLarge }] : []),
      ],
    },
    {
      type: 'counter',
      name: 'apiserver_audit_level_total',
      help: 'Counter of policy levels for audit events (1 per request).',
      samples: [...this.#levels].map(([level, value]) => ({ labels: { level }, value })),
    },
    {
      type: 'counter',
      name: 'apiserver_audit_requests_rejected_total',
      help: 'Counter of apiserver requests rejected due to an error in audit logging backend.',
      samples: [{ labels: {}, value: this.#rejected }],
    },
  ];
}

async function linesOf({ responseObject: _, ...event }: AuditEvent, list: RecordedList): Promise<string[]> {
  const rest = JSON.stringify(event).slice(0, -1);
  return [`${rest},"responseObject":`, ...(await list.pieces()), '}'];
}

/** The way a request came: what proxies say of it, then who is connected. */
function sourceAddresses(headers: RequestHeaders, remoteAddress: string | undefined): string[] {
  const addresses = (headerOf(headers, 'x-forwarded-for') ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => isIP(address));
  const real = headerOf(headers, 'x-real-ip')?.trim();
  if (real && isIP(real) && !addresses.includes(real)) addresses.push(real);
  const remote = remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  if (remote && isIP(remote) && addresses.at(-1) !== remote) addresses.push(remote);
  return addresses;
}

/** RFC 3339 with microseconds. */
function microTime(ms: number): string {
  const micros = Math.floor((ms - Math.floor(ms)) * 1000);
  return `${new Date(Math.floor(ms)).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
