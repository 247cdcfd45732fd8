import { badRequest, isStatusError, unauthorized } from '../../apimachinery/status-error.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import type { AuthorizationAttributes, Authorizer } from '../../sdk/authorization.ts';
import type { UserInfo } from '../../sdk/user.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import type { AuditRecord, AuditTrail } from './audit-trail.ts';
import type { FlowControl } from './flow-control.ts';
import { wantedUser } from './impersonation.ts';
import { ImpersonationModes } from './impersonation-modes.ts';
import { InFlight, type InFlightLimits, isLongRunning } from './in-flight.ts';
import { PlainTextError } from './plain-text-error.ts';
import { headerOf, type RequestContext, type RequestHeaders } from './request-context.ts';
import { parseRequestInfo, type RequestInfo } from './request-info.ts';
import type { RequestProgress } from './request-progress.ts';
import { requestedTimeoutMs } from './request-timeout.ts';
import type { Result } from './result.ts';
import { once, seatedUntilBegun } from './watch-seats.ts';

/** A request as a transport hands it over. */
export interface IncomingRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: RequestHeaders;
  /** By which the audit log knows the request. */
  readonly auditId?: string;
  /** Known beforehand for requests from inside the process. */
  readonly user?: UserInfo;
  readonly clientCertificate?: Uint8Array;
  readonly remoteAddress?: string;
  readonly signal: AbortSignal;
  readBody: RequestContext['readBody'];
  /** Warnings are collected here, for the response. */
  readonly warnings: string[];
  /** Absent where the result is the answer. */
  readonly progress?: RequestProgress;
}

/** What is counted of requests. */
export interface RequestObserver {
  /** Who is only told of those that were known. */
  authenticated(result: 'success' | 'failure' | 'error', seconds: number, username?: string): void;
  authorized(decision: 'allow' | 'deny' | 'noOpinion', seconds: number): void;
  /** `seconds`: from its start to the end of its answer. */
  observe(info: RequestInfo, query: URLSearchParams, answer: { code: number; seconds: number; bytes: number }): void;
  /** A request that may take any time starts; returns what to call at its end. */
  startLongRunning(info: RequestInfo): () => void;
}

export interface RequestChainOptions {
  readonly authentication: Authenticator;
  readonly authorization: Authorizer;
  readonly audit: AuditTrail | undefined;
  readonly limits: InFlightLimits;
  /** Who goes first when there is more to do than can be done; without it `limits` alone bound what is worked on. */
  readonly flowControl?: FlowControl;
  readonly metrics: RequestObserver;
  /** Of requests that are not watches or streams, whatever they ask for. */
  readonly requestTimeoutMs: number;
  /** The end of the chain. */
  readonly handle: (context: RequestContext) => Promise<Result> | Result;
}

/** authentication, audit, impersonation, seats, authorization; then whatever serves the path. */
export class RequestChain {
  readonly #options: RequestChainOptions;
  readonly #impersonation: ImpersonationModes;
  readonly inFlight: InFlight;

  constructor(options: RequestChainOptions) {
    this.#options = options;
    this.#impersonation = new ImpersonationModes(options.authorization);
    this.inFlight = new InFlight(options.limits);
  }

  async handle(request: IncomingRequest): Promise<Result> {
    const started = performance.now();
    const requester = request.user ?? (await this.#authenticate(request, started));
    const info = requestInfo(request);
    const record = this.#options.audit?.begin(request, info, requester);
    if (!record) return this.#serve(request, info, requester, started, undefined);
    if (record.received && !(await record.received)) throw unrecorded(request.path);
    try {
      return record.answer(await this.#serve(request, info, requester, started, record), !request.progress);
    } catch (error) {
      record.fail(error);
      throw error;
    }
  }

  async #serve(
    request: IncomingRequest,
    info: RequestInfo,
    requester: UserInfo,
    started: number,
    record: AuditRecord | undefined,
  ): Promise<Result> {
    const { handle, metrics } = this.#options;
    const { progress } = request;
    const impersonated = await this.#impersonate(request, info, requester, record);
    const context: RequestContext = {
      method: request.method,
      info,
      query: request.query,
      headers: request.headers,
      user: impersonated ?? requester,
      inProcess: request.user !== undefined,
      get signal() {
        return request.signal;
      },
      get expired() {
        return progress?.expired === true;
      },
      readBody: record ? record.readBody(request.readBody) : request.readBody,
      warnings: request.warnings,
      auditAnnotations: record?.annotations ?? new Map(),
    };
    const longRunning = isLongRunning(info);
    const held: (() => void)[] = [];
    const end = (code: number, bytes: number) => {
      for (const release of held) release();
      metrics.observe(countedInfo(info, request.headers), request.query, {
        code,
        seconds: (performance.now() - started) / 1000,
        bytes,
      });
      if (progress) record?.end(code);
    };
    let begun: (() => void) | undefined;
    const finish = (result: Result) => {
      if (progress) progress.holding(end);
      else end('status' in result ? result.status : 200, 0);
      return result;
    };
    try {
      if (longRunning) {
        held.push(metrics.startLongRunning(info));
        if (info.verb === 'watch' && !context.inProcess) begun = once(await this.#seats(context, progress));
        if (begun) held.push(begun);
      } else if (!context.inProcess) await this.#enter(context, progress, held);
      await this.#authorize(context, record);
      const result = await handle(context);
      return finish(begun ? seatedUntilBegun(result, request.query, begun) : result);
    } catch (error) {
      record?.fail(error);
      end(isStatusError(error) ? error.code : 500, 0);
      throw error;
    }
  }

  /** Waits for seats; what has to be given back goes to `held`. */
  async #enter(context: RequestContext, progress: RequestProgress | undefined, held: (() => void)[]): Promise<void> {
    const { flowControl, requestTimeoutMs } = this.#options;
    const timeoutMs = requestedTimeoutMs(context.query) ?? requestTimeoutMs;
    progress?.limited(Math.min(timeoutMs, requestTimeoutMs));
    if (flowControl) {
      const seats = this.#seats(context, progress);
      held.push(typeof seats === 'function' ? seats : await seats);
    }
    held.push(this.inFlight.enter(context.info.verb, flowControl !== undefined));
  }

  #seats(context: RequestContext, progress: RequestProgress | undefined): (() => void) | Promise<() => void> {
    const flow = this.#options.flowControl?.classify(context);
    if (!flow) return () => undefined;
    progress?.classified(flow);
    return flow.enter(context);
  }

  async #authenticate(request: IncomingRequest, since: number): Promise<UserInfo> {
    const { headers } = request;
    const { metrics } = this.#options;
    const bearerToken = bearerTokenOf(headers);
    const result = await this.#options.authentication.authenticate({
      headers,
      path: request.path,
      // An AbortSignal is dear, and few authenticators look at it.
      get signal() {
        return request.signal;
      },
      ...(bearerToken === undefined ? {} : { bearerToken }),
      ...(request.clientCertificate ? { clientCertificate: request.clientCertificate } : {}),
      ...(request.remoteAddress ? { remoteAddress: request.remoteAddress } : {}),
    });
    const seconds = (performance.now() - since) / 1000;
    if (!result) {
      metrics.authenticated('failure', seconds);
      this.#options.audit?.unauthenticated(request, requestInfo(request));
      throw unauthorized();
    }
    metrics.authenticated('success', seconds, result.user.name);
    return result.user;
  }

  async #impersonate(
    request: IncomingRequest,
    info: RequestInfo,
    requester: UserInfo,
    record: AuditRecord | undefined,
  ): Promise<UserInfo | undefined> {
    const wanted = wantedUser(request.headers);
    if (!wanted) return undefined;
    const attributes = attributesOf({ info, user: requester, query: request.query });
    const { user, constraint } = await this.#impersonation.impersonate(wanted, attributes);
    record?.impersonated(user, constraint);
    return user;
  }

  async #authorize(context: RequestContext, record: AuditRecord | undefined): Promise<void> {
    const attributes = attributesOf(context);
    const since = performance.now();
    const decided = this.#options.authorization.authorize(attributes);
    const { decision, reason } = 'decision' in decided ? decided : await decided;
    this.#options.metrics.authorized(decision, (performance.now() - since) / 1000);
    if (record) annotate(record, decision, reason);
    if (decision !== 'allow') throw accessDenied(attributes, reason);
  }
}

/** Server-side apply is a verb of its own to metrics. */
function countedInfo(info: RequestInfo, headers: RequestHeaders): RequestInfo {
  if (info.verb !== 'patch' || !headerOf(headers, 'content-type')?.startsWith('application/apply-patch+')) return info;
  return { ...info, verb: 'apply' };
}

function unrecorded(path: string): PlainTextError {
  const message = 'failed to store audit event';
  return new PlainTextError(
    { code: 500, reason: 'InternalError', message },
    `Internal Server Error: ${JSON.stringify(path)}: ${message}`,
  );
}

function annotate(record: AuditRecord | undefined, decision: string, reason = ''): void {
  record?.annotations.set('authorization.k8s.io/decision', decision === 'allow' ? 'allow' : 'forbid');
  record?.annotations.set('authorization.k8s.io/reason', reason);
}

function attributesOf({ info, user, query }: Pick<RequestContext, 'info' | 'user' | 'query'>): AuthorizationAttributes {
  const selectors = info.verb === 'list' || info.verb === 'watch' || info.verb === 'deletecollection';
  const fieldSelector = selectors ? query.get('fieldSelector') : undefined;
  const labelSelector = selectors ? query.get('labelSelector') : undefined;
  return {
    user,
    verb: info.verb,
    resourceRequest: info.resourceRequest,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    path: info.path,
    ...(fieldSelector ? { fieldSelector } : {}),
    ...(labelSelector ? { labelSelector } : {}),
  };
}

function requestInfo(request: IncomingRequest) {
  try {
    return parseRequestInfo(request.method, request.path, request.query);
  } catch {
    throw badRequest(`the path ${JSON.stringify(request.path)} is not encoded well`);
  }
}

const WEBSOCKET_TOKEN = 'base64url.bearer.authorization.k8s.io.';

function bearerTokenOf(headers: RequestHeaders): string | undefined {
  const authorization = headerOf(headers, 'authorization');
  if (authorization) {
    const match = /^bearer +(\S+)\s*$/i.exec(authorization);
    return match ? match[1] : undefined;
  }
  const protocols = headerOf(headers, 'sec-websocket-protocol');
  const token = protocols?.split(',').find((protocol) => protocol.trim().startsWith(WEBSOCKET_TOKEN));
  return token ? Buffer.from(token.trim().slice(WEBSOCKET_TOKEN.length), 'base64url').toString('utf8') : undefined;
}
