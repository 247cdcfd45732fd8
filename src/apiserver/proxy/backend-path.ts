import { posix } from 'node:path';

/**
 * What a backend is asked for when a client asks for `path` below a proxy, both encoded: as a clean path, with repeated slashes
 * and dot segments resolved (none leads above the root) and a slash at the end only where there was one. An escaped slash
 * becomes a slash.
 */
export function backendPath(path: string): string {
  return /%|\/\.|\/\//.test(path) || NEEDS_ESCAPE.test(path)
    ? escapePath(posix.normalize(decodeURIComponent(path)))
    : path;
}

/** As Go writes paths (RFC 3986, 3.3), which escapes more than it must. */
const NEEDS_ESCAPE = /[^A-Za-z0-9\-_.~$&+,/:;=@]/;

function escapePath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-_.~$&+,/:;=@]+/g, (text) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`),
  );
}
