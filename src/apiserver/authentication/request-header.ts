import { X509Certificate } from 'node:crypto';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import { BoundedCache } from './bounded-cache.ts';
import { isIssuedBy, subjectOf } from './x509.ts';

export interface RequestHeaderAuthenticatorOptions {
  /** CA certificates (PEM) that issue the proxies' certificates: the front-proxy CA. */
  readonly proxyCAs: () => readonly string[];
  /** Common names that may speak for others; empty allows any certificate of the CA. */
  readonly allowedNames?: readonly string[];
  readonly userHeaders?: readonly string[];
  readonly uidHeaders?: readonly string[];
  readonly groupHeaders?: readonly string[];
  readonly extraHeaderPrefixes?: readonly string[];
  readonly now?: () => number;
}

interface KnownProxy {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly trusted: boolean;
}

/** A front proxy that has authenticated the user itself and says who it is in `X-Remote-*` headers; believed by its certificate alone. */
export function createRequestHeaderAuthenticator(options: RequestHeaderAuthenticatorOptions): Authenticator {
  const lower = (names: readonly string[] | undefined, fallback: string) =>
    (names ?? [fallback]).map((name) => name.toLowerCase());
  const userHeaders = lower(options.userHeaders, 'x-remote-user');
  const uidHeaders = lower(options.uidHeaders, 'x-remote-uid');
  const groupHeaders = lower(options.groupHeaders, 'x-remote-group');
  const extraPrefixes = lower(options.extraHeaderPrefixes, 'x-remote-extra-');
  const now = options.now ?? Date.now;
  const proxies = new BoundedCache<string, KnownProxy>(64);

  function proxyOf(der: Uint8Array): KnownProxy {
    const key = Buffer.from(der).toString('latin1');
    let known = proxies.get(key);
    if (!known) {
      const certificate = new X509Certificate(der);
      const { commonName } = subjectOf(certificate);
      known = {
        notBefore: Date.parse(certificate.validFrom),
        notAfter: Date.parse(certificate.validTo),
        trusted:
          (!options.allowedNames?.length || options.allowedNames.includes(commonName)) &&
          options.proxyCAs().some((ca) => isIssuedBy(certificate, ca)),
      };
      proxies.set(key, known);
    }
    return known;
  }

  return {
    name: 'requestheader',
    authenticate(request: AuthenticationRequest): AuthenticationResult | undefined {
      if (!request.clientCertificate) return undefined;
      const name = first(request, userHeaders);
      if (!name) return undefined;
      const proxy = proxyOf(request.clientCertificate);
      const time = now();
      if (!proxy.trusted || time < proxy.notBefore || time > proxy.notAfter) return undefined;
      const uid = first(request, uidHeaders);
      const extra = extraOf(request, extraPrefixes);
      return {
        user: {
          name,
          ...(uid ? { uid } : {}),
          groups: groupHeaders.flatMap((header) => values(request, header)),
          ...(extra ? { extra } : {}),
        },
      };
    },
  };
}

function values(request: AuthenticationRequest, header: string): readonly string[] {
  const value = request.headers[header];
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function first(request: AuthenticationRequest, headers: readonly string[]): string | undefined {
  for (const header of headers) {
    const value = request.headers[header];
    const text = typeof value === 'string' ? value : value?.[0];
    if (text) return text;
  }
  return undefined;
}

function extraOf(
  request: AuthenticationRequest,
  prefixes: readonly string[],
): Record<string, readonly string[]> | undefined {
  let extra: Record<string, readonly string[]> | undefined;
  for (const header of Object.keys(request.headers)) {
    const prefix = prefixes.find((candidate) => header.startsWith(candidate));
    if (prefix === undefined) continue;
    extra ??= {};
    extra[decode(header.slice(prefix.length))] = values(request, header);
  }
  return extra;
}

function decode(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
