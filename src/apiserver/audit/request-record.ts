import { apiVersionOf, type Status } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import type { AuditRecord } from '../request/audit-trail.ts';
import { PlainTextError } from '../request/plain-text-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { Result } from '../request/result.ts';
import type { AuditEvent, AuditLevel, AuditStage, AuditUser, ObjectReference } from './audit-event.ts';
import { auditUser } from './audit-user.ts';
import { RecordedList } from './recorded-list.ts';
import { bodyObject, withoutManagedFields } from './recorded-object.ts';

export interface RequestRecordOptions {
  readonly level: AuditLevel;
  readonly info: RequestInfo;
  readonly omitManagedFields: boolean;
  /** Whether the client wants the connection for another protocol. */
  readonly upgrade: boolean;
  readonly head: Omit<AuditEvent, 'stage' | 'stageTimestamp'>;
  readonly emit: (stage: AuditStage, event: AuditEvent) => Promise<boolean> | undefined;
  readonly time: () => string;
}

type ResponseStatus = AuditEvent['responseStatus'];

/** One request's events: the first when it is made, the last when it is over. */
export class RequestRecord implements AuditRecord {
  readonly annotations = new Map<string, string>();
  readonly received: Promise<boolean> | undefined;
  readonly #options: RequestRecordOptions;
  #over = false;
  #reference: ObjectReference | undefined;
  #impersonated: AuditUser | undefined;
  #constraint: string | undefined;
  #requestObject: unknown;
  #responseObject: unknown;
  /** What a handler answered on the connection itself. */
  #answered: number | undefined;
  #status: Partial<Status> | undefined;

  constructor(options: RequestRecordOptions) {
    this.#options = options;
    const { info } = options;
    if (info.resourceRequest)
      this.#reference = {
        resource: info.resource,
        ...(info.namespace ? { namespace: info.namespace } : {}),
        ...(info.name ? { name: info.name } : {}),
        ...(info.group ? { apiGroup: info.group } : {}),
        apiVersion: info.version,
        ...(info.subresource ? { subresource: info.subresource } : {}),
      };
    this.received = this.#emit('RequestReceived', undefined);
  }

  impersonated(user: UserInfo, constraint: string | undefined): void {
    this.#impersonated = auditUser(user);
    this.#constraint = constraint;
  }

  readBody(read: RequestContext['readBody']): RequestContext['readBody'] {
    return async () => {
      const body = await read();
      const { level, info } = this.#options;
      const writes = info.verb === 'create' || info.verb === 'update';
      if (this.#requestObject === undefined && (level !== 'Metadata' || writes)) {
        const object = bodyObject(body);
        if (writes) this.#refer(object);
        if (level !== 'Metadata') this.#requestObject = this.#shown(object);
      }
      return body;
    };
  }

  answer(result: Result, untilOver: boolean): Result {
    switch (result.type) {
      case 'watch':
        return {
          ...result,
          open: (sink) => {
            this.#emit('ResponseStarted', { code: 200 });
            if (!untilOver) return result.open(sink);
            const running = result.open({
              deliver: (notices) => sink.deliver(notices),
              close: (error) => {
                if (error) this.fail(error);
                else this.end(200);
                sink.close(error);
              },
            });
            return {
              stop: () => {
                running.stop();
                this.end(200);
              },
            };
          },
        };
      case 'takeOver':
        return { type: 'takeOver', run: (exchange) => this.#follow(exchange, result.run, untilOver) };
      case 'entry':
        this.#respond(() => result.entry.as(result.definition).object);
        break;
      case 'object':
        if ((result.object as { kind?: unknown }).kind === 'Status') this.#status = result.object as Status;
        this.#respond(() => result.object);
        break;
      case 'list': {
        const { definition, entries, metadata } = result;
        if (this.#options.level !== 'RequestResponse') break;
        this.#responseObject = new RecordedList({
          head: {
            kind: definition.listKind,
            apiVersion: apiVersionOf(definition.group, definition.version),
            metadata,
          },
          entry: (index) => entries[index]!.as(definition),
          count: entries.length,
          omitManagedFields: this.#options.omitManagedFields,
        });
        break;
      }
      case 'content':
        break;
    }
    if (untilOver) this.end('status' in result ? result.status : 200);
    return result;
  }

  end(statusCode: number): void {
    const code = this.#answered ?? statusCode;
    const { status, message, reason, details } = this.#status ?? {};
    this.#finish('ResponseComplete', {
      metadata: {},
      ...(status ? { status } : {}),
      ...(message ? { message } : {}),
      ...(reason ? { reason } : {}),
      ...(details ? { details } : {}),
      code,
    });
  }

  fail(error: unknown): void {
    if (isStatusError(error)) {
      if (!(error instanceof PlainTextError)) {
        this.#status = error.status;
        this.#respond(() => error.status);
      }
      this.#answered = undefined;
      this.end(error.code);
      return;
    }
    const message = `APIServer panic'd: ${error instanceof Error ? error.message : String(error)}`;
    this.#finish('Panic', { metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 });
  }

  /** Nobody authenticated: the one thing there is to say after the first event. */
  refused(message: string): void {
    this.#over = true;
    this.#emit('ResponseStarted', { metadata: {}, status: 'Failure', message, reason: 'Unauthorized', code: 401 });
  }

  async #follow(
    exchange: HttpExchange,
    run: (exchange: HttpExchange) => Promise<void>,
    untilOver: boolean,
  ): Promise<void> {
    if (this.#options.upgrade) this.#started(101);
    const { writeHead, send } = exchange;
    exchange.writeHead = (status, headers) => {
      this.#started(status);
      writeHead.call(exchange, status, headers);
    };
    exchange.send = (status, headers, body) => {
      this.#started(status);
      send.call(exchange, status, headers, body);
    };
    try {
      await run(exchange);
      if (untilOver) this.end(200);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  #started(code: number): void {
    const first = this.#answered === undefined;
    this.#answered = code;
    if (first) this.#emit('ResponseStarted', { metadata: {}, code });
  }

  #refer(object: unknown): void {
    const metadata = (object as { metadata?: Readonly<Record<string, unknown>> } | undefined)?.metadata;
    if (!metadata || !this.#reference) return;
    const found: Record<string, string> = {};
    for (const field of ['namespace', 'name', 'uid', 'resourceVersion'] as const) {
      const value = metadata[field];
      if (!this.#reference[field] && typeof value === 'string' && value) found[field] = value;
    }
    this.#reference = { ...this.#reference, ...found };
  }

  #respond(object: () => unknown): void {
    if (this.#options.level === 'RequestResponse') this.#responseObject = this.#shown(object());
  }

  #shown(object: unknown): unknown {
    return this.#options.omitManagedFields ? withoutManagedFields(object) : object;
  }

  #finish(stage: AuditStage, status: ResponseStatus): void {
    if (this.#over) return;
    this.#over = true;
    this.#emit(stage, status);
  }

  #emit(stage: AuditStage, responseStatus: ResponseStatus): Promise<boolean> | undefined {
    const { head, emit, time } = this.#options;
    return emit(stage, {
      ...head,
      stage,
      ...(this.#impersonated ? { impersonatedUser: this.#impersonated } : {}),
      ...(this.#constraint ? { authenticationMetadata: { impersonationConstraint: this.#constraint } } : {}),
      ...(this.#reference ? { objectRef: this.#reference } : {}),
      ...(responseStatus ? { responseStatus } : {}),
      ...(this.#requestObject === undefined ? {} : { requestObject: this.#requestObject }),
      ...(this.#responseObject === undefined ? {} : { responseObject: this.#responseObject }),
      stageTimestamp: time(),
      ...(this.annotations.size ? { annotations: Object.fromEntries(this.annotations) } : {}),
    });
  }
}
