import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CertificateRequest, KeyPair } from './certificate-request.ts';

/** The part of its life below which a certificate is renewed. */
const RENEW_BELOW = 0.3;

/** Why a certificate can't be used, whatever the time. */
export function defect(pair: KeyPair): string | undefined {
  try {
    return new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key))
      ? undefined
      : 'certificate and key do not belong together';
  } catch {
    return 'it is no PEM of a certificate and its key';
  }
}

/** Less than 30 % of its life is left, or it is from the future: made while the clock was wrong. */
export function isDue(cert: string, now: number): boolean {
  const certificate = new X509Certificate(cert);
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return now < from || to - now < (to - from) * RENEW_BELOW;
}

export function isExpired(cert: string, now: number): boolean {
  return Date.parse(new X509Certificate(cert).validTo) <= now;
}

/** It is due, of another authority, of somebody else, or names that it must have are not in it. */
export function needsRenewal(pair: KeyPair, wanted: CertificateRequest, authority: KeyPair, now: number): boolean {
  return isUnsuitable(pair, wanted, authority.cert) || isDue(pair.cert, now);
}

/** It is of another authority, of somebody else, or names that it must have are not in it: whatever the time. */
export function isUnsuitable(pair: KeyPair, wanted: CertificateRequest, ca: string): boolean {
  if (defect(pair)) return true;
  const certificate = new X509Certificate(pair.cert);
  const issuer = new X509Certificate(ca);
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return true;
  const subject = [...(wanted.organizations ?? []).map((name) => `O=${name}`), `CN=${wanted.commonName}`];
  if (certificate.subject !== subject.join('\n')) return true;
  return [
    ...(wanted.dnsNames ?? []).map((name) => certificate.checkHost(name)),
    ...(wanted.ips ?? []).map((ip) => certificate.checkIP(ip)),
  ].some((found) => found === undefined);
}
