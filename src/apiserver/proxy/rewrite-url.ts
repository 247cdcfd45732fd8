import { posix } from 'node:path';

/** Where a backend is for the client. */
export interface ProxiedPlace {
  /** What its root is there: `/api/v1/namespaces/a/services/b/proxy`. */
  readonly prefix: string;
  /** `host:port` of the backend itself. */
  readonly backend: string;
  /** The host that the client asked for. */
  readonly requested: string;
}

/**
 * A URL of a backend's answer, for the client: absolute paths of the backend stay within the proxy. What is relative or
 * leads elsewhere is left alone.
 */
export function rewriteUrl(url: string, { prefix, backend, requested }: ProxiedPlace): string {
  const [, scheme = '', authority, path = '', rest = ''] =
    /^([A-Za-z][A-Za-z0-9+.-]*:)?(?:\/\/([^/?#]*))?([^?#]*)([\s\S]*)$/.exec(url) ?? [];
  if (!path.startsWith('/') || (authority === undefined && scheme)) return url;
  if (authority && authority !== backend && authority !== requested) return url;
  const origin = authority && authority === requested ? `${scheme}//${authority}` : '';
  return `${origin}${path.startsWith(prefix) ? path : posix.join(prefix, path)}${rest}`;
}
