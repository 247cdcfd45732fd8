import { badRequest, isStatusError, unauthorized } from '../../apimachinery/status-error.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import type { AuthorizationAttributes, Authorizer } from '../../sdk/authorization.ts';
import type { UserInfo } from '../../sdk/user.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import type { AuditRecord, AuditTrail } from './audit-trail.ts';
import type { FlowControl } from './flow-control.ts';
import { impersonationOf } from './impersonation.ts';
import { InFlight, type InFlightLimits, isLongRunning } from './in-flight.ts';
import { headerOf, type RequestContext, type RequestHeaders } from './request-context.ts';
import { parseRequestInfo, type RequestInfo } from './request-info.ts';
import type { RequestProgress } from './request-progress.ts';
import { requestedTimeoutMs } from './request-timeout.ts';
import type { Result } from './result.ts';

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
  readonly inFlight: InFlight;

  constructor(options: RequestChainOptions) {
    this.#options = options;
    this.inFlight = new InFlight(options.limits);
  }

  async handle(request: IncomingRequest): Promise<Result> {
    const started = performance.now();
    const requester = request.user ?? (await this.#authenticate(request));
    const info = requestInfo(request);
    const record = this.#options.audit?.begin(request, info, requester);
    if (!record) return this.#serve(request, info, requester, started, undefined);
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
    const impersonated = await this.#impersonate(request, requester, record);
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
      readBody: record ? record.readBody(request.readBody) : request.readBody,
      warnings: request.warnings,
      auditAnnotations: record?.annotations ?? new Map(),
    };
    const { progress } = request;
    const longRunning = isLongRunning(info);
    const held: (() => void)[] = [];
    const end = (code: number, bytes: number) => {
      for (const release of held) release();
      metrics.observe(info, request.query, { code, seconds: (performance.now() - started) / 1000, bytes });
      if (progress) record?.end(code);
    };
    try {
      if (longRunning) held.push(metrics.startLongRunning(info));
      else if (!context.inProcess) await this.#enter(context, progress, held);
      await this.#authorize(context, record);
      const result = await handle(context);
      const code = 'status' in result ? result.status : 200;
      if (progress) progress.holding(end);
      else end(code, 0);
      return result;
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
      const flow = flowControl.classify(context);
      progress?.classified(flow);
      const seats = flow.enter(context);
      held.push(typeof seats === 'function' ? seats : await seats);
    }
    held.push(this.inFlight.enter(context.info.verb, flowControl !== undefined));
  }

  async #authenticate(request: IncomingRequest): Promise<UserInfo> {
    const { headers } = request;
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
    if (!result) {
      this.#options.audit?.unauthenticated(request, requestInfo(request));
      throw unauthorized();
    }
    return result.user;
  }

  async #impersonate(
    request: IncomingRequest,
    requester: UserInfo,
    record: AuditRecord | undefined,
  ): Promise<UserInfo | undefined> {
    const impersonation = impersonationOf(request.headers, requester);
    if (!impersonation) return undefined;
    for (const attributes of impersonation.needs) {
      const { decision, reason } = await this.#options.authorization.authorize(attributes);
      if (decision !== 'allow') {
        annotate(record, decision, reason);
        throw accessDenied(attributes, reason);
      }
    }
    record?.impersonated(impersonation.user);
    return impersonation.user;
  }

  async #authorize(context: RequestContext, record: AuditRecord | undefined): Promise<void> {
    const attributes = attributesOf(context);
    const decided = this.#options.authorization.authorize(attributes);
    const { decision, reason } = 'decision' in decided ? decided : await decided;
    if (record) annotate(record, decision, reason);
    if (decision !== 'allow') throw accessDenied(attributes, reason);
  }
}

function annotate(record: AuditRecord | undefined, decision: string, reason = ''): void {
  record?.annotations.set('authorization.k8s.io/decision', decision === 'allow' ? 'allow' : 'forbid');
  record?.annotations.set('authorization.k8s.io/reason', reason);
}

function attributesOf({ info, user, query }: RequestContext): AuthorizationAttributes {
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
