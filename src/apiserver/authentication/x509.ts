import { createHash, X509Certificate } from 'node:crypto';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import { BoundedCache } from './bounded-cache.ts';

export interface X509AuthenticatorOptions {
  /** CA certificates (PEM) that issue users' certificates, asked again at each new certificate. Absent: the TLS layer's check suffices. */
  readonly clientCAs?: () => readonly string[];
  readonly now?: () => number;
}

interface KnownCertificate {
  readonly notBefore: number;
  readonly notAfter: number;
  /** Absent: not issued by a client CA, or without a common name. */
  readonly result?: AuthenticationResult;
}

/**
 * Client certificates: the common name is the user, the organizations are the groups. Validity is checked at each request. A
 * bearer token goes before a certificate: see docs/decisions/token-before-certificate.md.
 */
export function createX509Authenticator(options: X509AuthenticatorOptions = {}): Authenticator {
  const now = options.now ?? Date.now;
  const byBytes = new WeakMap<Uint8Array, KnownCertificate>();
  const byFingerprint = new BoundedCache<string, KnownCertificate>(4096);

  function lookUp(der: Uint8Array): KnownCertificate {
    const fingerprint = createHash('sha256').update(der).digest('hex');
    let known = byFingerprint.get(fingerprint);
    if (!known) {
      known = read(der, fingerprint, options.clientCAs?.());
      byFingerprint.set(fingerprint, known);
    }
    byBytes.set(der, known);
    return known;
  }

  return {
    name: 'x509',
    authenticate(request: AuthenticationRequest) {
      const der = request.clientCertificate;
      if (!der || request.bearerToken !== undefined) return undefined;
      const known = byBytes.get(der) ?? lookUp(der);
      const time = now();
      return time >= known.notBefore && time <= known.notAfter ? known.result : undefined;
    },
  };
}

function read(der: Uint8Array, fingerprint: string, clientCAs: readonly string[] | undefined): KnownCertificate {
  const certificate = new X509Certificate(der);
  const validity = { notBefore: Date.parse(certificate.validFrom), notAfter: Date.parse(certificate.validTo) };
  if (clientCAs && !clientCAs.some((ca) => isIssuedBy(certificate, ca))) return validity;
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_EXTENDED_USAGE)) return validity;
  const { commonName, organizations } = subjectOf(certificate);
  if (!commonName) return validity;
  const user = {
    name: commonName,
    groups: organizations,
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
  };
  return { ...validity, result: { user } };
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_EXTENDED_USAGE = '2.5.29.37.0';

export function isIssuedBy(certificate: X509Certificate, caPem: string): boolean {
  try {
    const ca = new X509Certificate(caPem);
    return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
  } catch {
    return false;
  }
}

export function subjectOf(certificate: X509Certificate): { commonName: string; organizations: readonly string[] } {
  const subject = certificate.toLegacyObject().subject as unknown as
    | Readonly<Record<string, string | readonly string[] | undefined>>
    | undefined;
  const all = (value: string | readonly string[] | undefined): readonly string[] =>
    value === undefined ? [] : typeof value === 'string' ? [value] : value;
  return { commonName: all(subject?.CN).at(-1) ?? '', organizations: all(subject?.O) };
}
