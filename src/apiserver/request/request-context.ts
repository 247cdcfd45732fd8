import type { UserInfo } from '../../sdk/user.ts';
import type { RequestInfo } from './request-info.ts';

export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A body as it came: bytes over HTTP, an object in the process. */
export type RequestBody =
  | { readonly contentType: string; readonly bytes: Uint8Array; readonly undecoded?: Undecoded }
  | { readonly contentType: string; readonly object: unknown /** Nobody else has it. */; readonly owned?: boolean };

/** Protobuf that could not be decoded; what it says it is, as far as that could be read. */
export interface Undecoded {
  readonly message: string;
  readonly kind?: string;
  readonly version?: string;
}

/** A request on its way through the chain. */
export interface RequestContext {
  readonly method: string;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: RequestHeaders;
  /** Who it is done as: the impersonated user, if any. */
  readonly user: UserInfo;
  readonly inProcess: boolean;
  /** Aborted when the client goes away, or was told that it took too long. */
  readonly signal: AbortSignal;
  /** Whether the client was told already that it took too long: nothing may be stored any more. */
  readonly expired?: boolean;
  /** Throws StatusError 413 when it is too large. */
  readBody(): Promise<RequestBody>;
  /** Shown to the client as `Warning` headers. */
  readonly warnings: string[];
  readonly auditAnnotations: Map<string, string>;
}

export function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'object' ? value[0] : value;
}

/** The User-Agent up to the first slash: the field manager of writes that name none. */
export function managerOf(context: RequestContext): string {
  const given = context.query.get('fieldManager');
  if (given) return given;
  const agent = headerOf(context.headers, 'user-agent') ?? '';
  const name = agent.split('/', 1)[0]!.slice(0, 128);
  return name || 'unknown';
}
