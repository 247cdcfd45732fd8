import { badRequest, isStatusError, type StatusError, unauthorized } from '../../apimachinery/status-error.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import type { AuthorizationAttributes, Authorizer } from '../../sdk/authorization.ts';
import type { UserInfo } from '../../sdk/user.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { FlowControl } from './flow-control.ts';
import { impersonationOf } from './impersonation.ts';
import { InFlight, type InFlightLimits, isLongRunning } from './in-flight.ts';
import { headerOf, type RequestContext, type RequestHeaders } from './request-context.ts';
import { parseRequestInfo, type RequestInfo } from './request-info.ts';
import type { Result } from './result.ts';

/** A request as a transport hands it over. */
export interface IncomingRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: RequestHeaders;
  /** Known beforehand for requests from inside the process. */
  readonly user?: UserInfo;
  readonly clientCertificate?: Uint8Array;
  readonly remoteAddress?: string;
  readonly signal: AbortSignal;
  readBody: RequestContext['readBody'];
  /** Warnings are collected here, for the response. */
  readonly warnings: string[];
}

export interface RequestChainOptions {
  readonly authentication: Authenticator;
  readonly authorization: Authorizer;
  readonly audit: AuditTrail | undefined;
  readonly limits: InFlightLimits;
  /** Who goes first when there is more to do than can be done; without it `limits` alone bound what is worked on. */
  readonly flowControl?: FlowControl;
  readonly metrics: { observe(info: RequestInfo, code: number, seconds: number): void };
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
    const { audit, handle, metrics } = this.#options;
    const info = requestInfo(request);
    const impersonated = await this.#impersonate(request, requester);
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
      readBody: request.readBody,
      warnings: request.warnings,
      auditAnnotations: new Map(),
    };
    const record = audit?.begin(context, requester);
    const counted = !context.inProcess && !isLongRunning(info, request.query);
    const { flowControl } = this.#options;
    let leave: (() => void) | undefined;
    let giveBack: (() => void) | undefined;
    try {
      if (counted && flowControl) {
        const seat = flowControl.enter(context);
        giveBack = typeof seat === 'function' ? seat : await seat;
      }
      if (counted) leave = this.inFlight.enter(info.verb, flowControl !== undefined);
      await this.#authorize(context);
      const result = await handle(context);
      finish('status' in result ? result.status : 200);
      return result;
    } catch (error) {
      if (isStatusError(error)) finish(error.code, error);
      else finish(500);
      throw error;
    } finally {
      leave?.();
      giveBack?.();
    }

    function finish(code: number, error?: StatusError) {
      record?.end(code, error);
      metrics.observe(info, code, (performance.now() - started) / 1000);
    }
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
    if (!result) throw unauthorized();
    return result.user;
  }

  async #impersonate(request: IncomingRequest, requester: UserInfo): Promise<UserInfo | undefined> {
    const impersonation = impersonationOf(request.headers, requester);
    if (!impersonation) return undefined;
    for (const attributes of impersonation.needs) {
      const { decision, reason } = await this.#options.authorization.authorize(attributes);
      if (decision !== 'allow') throw accessDenied(attributes, reason);
    }
    return impersonation.user;
  }

  async #authorize(context: RequestContext): Promise<void> {
    const attributes = attributesOf(context);
    const decided = this.#options.authorization.authorize(attributes);
    const { decision, reason } = 'decision' in decided ? decided : await decided;
    if (decision !== 'allow') throw accessDenied(attributes, reason);
  }
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
