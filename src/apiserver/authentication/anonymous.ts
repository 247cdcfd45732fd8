import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import { ANONYMOUS } from '../../sdk/user.ts';

/** Health and version: what a load balancer or a client may ask before it has a credential. */
export const ANONYMOUS_PATHS: readonly string[] = ['/healthz', '/livez', '/readyz', '/version'];

const anonymousResult: AuthenticationResult = { user: ANONYMOUS };

/**
 * The last authenticator: a request without any credential, to one of `paths` or below, or that `allows` accepts,
 * is made by `system:anonymous`.
 * A request with a credential that nobody accepted stays unauthenticated.
 */
export function createAnonymousAuthenticator(
  options: { readonly paths?: readonly string[]; readonly allows?: (path: string) => boolean } = {},
): Authenticator {
  const paths = options.paths ?? ANONYMOUS_PATHS;
  const allows =
    options.allows ?? ((path) => paths.some((allowed) => path === allowed || path.startsWith(`${allowed}/`)));
  return {
    name: 'anonymous',
    authenticate(request: AuthenticationRequest) {
      if (request.bearerToken !== undefined || request.clientCertificate !== undefined) return undefined;
      const { path } = request;
      return path !== undefined && allows(path) ? anonymousResult : undefined;
    },
  };
}
