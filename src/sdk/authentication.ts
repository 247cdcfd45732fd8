import type { UserInfo } from './user.ts';

export interface AuthenticationRequest {
  /** Lower-case header names; a header sent more than once is an array of its values. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** From `Authorization: Bearer`, or the WebSocket subprotocol. */
  readonly bearerToken?: string;
  /** The client's certificate if it presented one that the client CA verified, DER. */
  readonly clientCertificate?: Uint8Array;
  readonly remoteAddress?: string;
  /** Of the request, without query: anonymous access is limited to some paths. */
  readonly path?: string;
  /** What a token must be meant for; empty means the API server's own audiences. */
  readonly audiences?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface AuthenticationResult {
  readonly user: UserInfo;
  readonly audiences?: readonly string[];
}

/**
 * Request in, user or nothing out. `undefined` is "no opinion": the next authenticator is asked. A rejection or a
 * missed deadline counts as no opinion too, and is logged.
 */
export interface Authenticator {
  readonly name: string;
  authenticate(
    request: AuthenticationRequest,
  ): AuthenticationResult | undefined | Promise<AuthenticationResult | undefined>;
}
